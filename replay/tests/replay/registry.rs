//! A registry as a source: what it answers, and what somebody else answers in its place.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tagstone_replay::export::{Header, Writer};
use tagstone_schema::{EncodedRecord, Head};

use crate::command::{Run, replay, state, verify};
use crate::directory::{folded, history, records};

/// The status line and headers, and the body, that a path is answered with.
pub(crate) type Reply = (String, Vec<u8>);

/// The status of a connection that ends without an answer.
pub(crate) const HANG_UP: &str = "";

pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Reply {
    ("200 OK".to_owned(), body.into())
}

/// Answers every request by its path and its `Authorization` until the test ends; returns its URL.
pub(crate) fn serve(answer: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || one(&stream, &*answer));
        }
    });
    url
}

fn one(mut stream: &TcpStream, answer: &dyn Fn(&str, &str) -> Reply) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let mut lines = BufReader::new(stream.take(10_000)).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let authorization = headers.iter().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
    let (status, body) = answer(&path, authorization);
    if status == HANG_UP {
        return None;
    }
    // A status that brings its own length promises another one than the body has.
    let length =
        if status.contains("content-length") { String::new() } else { format!("\r\ncontent-length: {}", body.len()) };
    write!(stream, "HTTP/1.1 {status}{length}\r\nconnection: close\r\n\r\n").ok()?;
    stream.write_all(&body).ok()
}

pub(crate) fn head(head: Head) -> Reply {
    ok(format!(r#"{{"seq":{},"hash":"{}","time":"{}","fingerprint":"00"}}"#, head.seq, head.hash, head.time))
}

/// The first record that a request for a page asks for.
pub(crate) fn from(path: &str) -> usize {
    path.strip_prefix("/api/v1/log/records?from=").unwrap().trim_end_matches("&n=1").parse().unwrap()
}

/// A page of at most two records.
pub(crate) fn page(records: &[EncodedRecord], path: &str) -> Reply {
    let from = from(path);
    let before = from.checked_sub(2).map_or(Head::default(), |at| records[at].head());
    let mut writer = Writer::new(Vec::new(), &Header { log: None, before }).unwrap();
    records[from - 1..].iter().take(2).for_each(|record| writer.push(record.head(), record.bytes()).unwrap());
    ok(writer.finish().unwrap().0)
}

pub(crate) fn genuine() -> Vec<EncodedRecord> {
    records(Head::default(), history())
}

/// What a registry answers whose head is the record `last`, while its log is longer.
fn registry(records: Vec<EncodedRecord>, last: usize) -> String {
    serve(move |path, _| match path {
        "/sub/api/v1/log/head" => head(records[last - 1].head()),
        path => page(&records, path.strip_prefix("/sub").unwrap()),
    }) + "/sub/"
}

#[test]
fn pages_are_read_up_to_the_head_that_was_told() {
    let records = genuine();
    for last in [1, 4, 5, 9] {
        let url = registry(records.clone(), last);
        let run = verify(Path::new(&url), &[]);
        assert_eq!((run.code, run.json()["records"].as_u64()), (0, Some(last as u64)), "{run:?}");
        let shown = state(Path::new(&url), &["--fingerprint"]);
        assert_eq!(shown.json()["fingerprint"], folded(&records[..last]).fingerprint().to_string());
    }
}

#[test]
fn a_registry_that_answers_with_another_log_is_found() {
    let records = genuine();
    let mut other = history();
    other[8].pop();
    let other = crate::directory::records(Head::default(), other);
    let forged = |told: Head, served: Vec<EncodedRecord>| {
        serve(move |path, _| if path.ends_with("head") { head(told) } else { page(&served, path) })
    };
    let last = records[8].head();
    let run = verify(Path::new(&forged(last, other)), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![9]), "{run:?}");
    assert!(run.problems().contains("but the registry's own answer names"), "{run:?}");
    // It ends before its head, and says so by pages without records.
    let run = verify(Path::new(&forged(Head { seq: 7, ..last }, records[..6].to_vec())), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![7]), "{run:?}");
    // Its pages are of another place, damaged, or no export.
    let served = records.clone();
    let url = serve(
        move |path, _| if path.ends_with("head") { head(last) } else { page(&served, "/api/v1/log/records?from=2") },
    );
    let run = verify(Path::new(&url), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![1]), "{run:?}");
    let url = serve(move |path, _| {
        if path.ends_with("head") {
            return head(last);
        }
        let (status, mut body) = page(&records, path);
        let at = body.len() - 200;
        body[at] ^= 1;
        (status, body)
    });
    let run = verify(Path::new(&url), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![2]), "{run:?}");
}

#[test]
fn who_does_not_answer_as_a_registry_is_told() {
    let refusing = |status: &'static str, body: &'static str| serve(move |_, _| (status.to_owned(), body.into()));
    for (url, said) in [
        (refusing("401 Unauthorized", ""), "asks for credentials: give --user NAME"),
        (refusing("403 Forbidden", ""), "is for administrators"),
        (refusing("404 Not Found", ""), "not as a Tagstone registry: there is no /api/v1/log/head"),
        (
            refusing("503 Service Unavailable", "{\"detail\":\"later\u{1b}[31m\"}"),
            "answers 503: {\"detail\":\"later [31m\"}",
        ),
        (refusing("302 Found\r\nlocation: https://else.where/", ""), "it redirects to https://else.where/"),
        (
            refusing("429 Too Many Requests", r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"wait"}]}"#),
            "answers 429: wait",
        ),
        (refusing("200 OK", "<html>"), "what should be the head of its log is none"),
        (refusing("200 OK", r#"{"seq":1,"hash":"x","time":"y"}"#), "the head of its log has another form"),
    ] {
        let run = verify(Path::new(&url), &[]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(said), "{said}: {run:?}");
    }
    let last = genuine()[8].head();
    let page_of_a_proxy = serve(move |path, _| if path.ends_with("head") { head(last) } else { ok("<html>") });
    let run = verify(Path::new(&page_of_a_proxy), &[]);
    assert_eq!((run.code, run.err.contains("/api/v1/log/records holds no records")), (2, true), "{run:?}");
    let run = verify(Path::new(&refusing("200 OK", "").replace("http:", "https:")), &[]);
    assert_eq!((run.code, run.err.contains("does it speak TLS?")), (2, true), "{run:?}");
    // An endless answer is not read to its end.
    let endless = serve(|_, _| ok(vec![b'1'; 1 << 20]));
    assert_eq!(verify(Path::new(&endless), &[]).code, 2);
}

#[test]
fn credentials_are_sent_as_they_were_given() {
    let records = genuine();
    // me:s3cret
    let url = serve(move |path, authorization| match (authorization, path.ends_with("head")) {
        ("Basic bWU6czNjcmV0", true) => head(records[8].head()),
        ("Basic bWU6czNjcmV0", false) => page(&records, path),
        _ => ("401 Unauthorized".to_owned(), br#"{"detail":"wrong user or password"}"#.to_vec()),
    });
    let asked = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagstone-replay"));
        let output = command.args(arguments).env("TAGSTONE_PASSWORD", "s3cret").output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    };
    for arguments in [["verify", &url, "--user", "me"], ["--user", "me", "verify", &url]] {
        let run = asked(&arguments);
        assert_eq!(run.code, 0, "{run:?}");
    }
    assert_eq!(asked(&["verify", &url, "--user", "you"]).code, 2);
    let in_url = |given: &str| url.replace("http://", &format!("http://{given}@"));
    assert_eq!(replay(["verify", &in_url("me:s3cret")]).code, 0);
    let refused = replay(["verify", &in_url("me:hidden")]);
    assert_eq!((refused.code, refused.err.contains("hidden")), (2, false), "{refused:?}");
    assert!(refused.err.contains("does not accept these credentials: wrong user or password"), "{refused:?}");
    assert!(replay(["verify", &url]).err.contains("asks for credentials"));
    assert_eq!(asked(&["verify", &in_url("you:hidden"), "--user", "me"]).code, 0);
}
