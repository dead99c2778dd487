//! Clients that stop in the middle: whatever they were doing, their connection is cut, and nothing else suffers.
//!
//! No time is asserted. Each test waits for the server to act, for at most so long that a server which never does fails.

#[path = "../support/mod.rs"]
mod support;

mod streams;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::client::Client;
use support::registry::Registry;

/// Far longer than the limits below, and than the 60 s that a stalled head may take at the most.
const NEVER: Duration = Duration::from_secs(60);

/// A registry with short limits.
#[track_caller]
fn impatient() -> Registry {
    Registry::start_with(&[("TAGSTONE_LIMITS_HEAD_TIMEOUT", "1s"), ("TAGSTONE_LIMITS_BODY_IDLE", "1s")])
}

fn connect(registry: &Registry) -> TcpStream {
    let stream = TcpStream::connect(registry.host()).expect("connect");
    stream.set_read_timeout(Some(NEVER)).expect("set a time-out");
    stream
}

/// What the server says until it cuts the connection.
#[track_caller]
fn until_cut(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was not cut: {error}"),
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_stalled_first_head_is_cut() {
    let registry = impatient();
    let mut stream = connect(&registry);
    stream.write_all(b"GET /v2/ HT").expect("send");
    assert!(until_cut(stream).starts_with("HTTP/1.1 408"));
}

#[test]
fn a_connection_that_says_nothing_is_cut() {
    let registry = impatient();
    until_cut(connect(&registry));
}

#[test]
fn a_stalled_head_behind_an_answered_request_is_cut() {
    let registry = impatient();
    let mut stream = connect(&registry);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n").expect("send");
    let mut first = [0; 15];
    stream.read_exact(&mut first).expect("the first answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream.write_all(b"GET /v2/ HT").expect("send");
    until_cut(stream);
}

#[test]
fn a_stalled_chunk_is_cut_and_the_upload_goes_on_at_its_true_offset() {
    let registry = impatient();
    let client = Client::new(registry.url());
    let location = client.open_upload("acme/slow").expect("an answer").expecting(202).location();
    let path = location.strip_prefix(registry.url()).unwrap_or(&location);
    let mut stream = connect(&registry);
    write!(stream, "PATCH {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n0123456789").expect("send");
    let answer = until_cut(stream);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("after 10 bytes"), "{answer}");

    let progress = client.get(&location).expect("an answer").expecting(204);
    assert_eq!(progress.header("range"), Some("0-9"));
    client.patch(&location, 10, b"abc").expect("an answer").expecting(202);
    let digest = support::client::digest_of(b"0123456789abc");
    client.close_upload(&location, &digest, b"").expect("an answer").expecting(201);
}

#[test]
fn a_body_that_is_refused_in_the_middle_ends_its_connection() {
    let registry = Registry::start_with(&[("TAGSTONE_LIMITS_BLOB_BYTES", "20000000")]);
    let client = Client::new(registry.url());
    let location = client.open_upload("acme/large").expect("an answer").expecting(202).location();
    let path = location.strip_prefix(registry.url()).unwrap_or(&location);
    // Whatever is sent, of known length or not, the client is not left alone with a connection that nobody reads.
    for framing in ["transfer-encoding: chunked", "content-length: 400000000000"] {
        let mut stream = connect(&registry);
        stream.set_write_timeout(Some(NEVER)).expect("set a time-out");
        write!(stream, "PATCH {path} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n").expect("send");
        let chunk = [b"400000\r\n".as_slice(), &vec![7; 4 << 20], b"\r\n"].concat();
        let mut sent = (0..10_000).map(|_| {
            std::thread::sleep(Duration::from_millis(2));
            stream.write_all(&chunk)
        });
        let ended = sent.find_map(Result::err).expect("the server takes for ever what it has refused");
        assert!(!matches!(ended.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{framing}: {ended}");
    }
    client.get("/v2/").expect("an answer").expecting(200);
}

#[test]
fn a_stalled_manifest_is_cut_and_nothing_is_stored() {
    let registry = impatient();
    let mut stream = connect(&registry);
    let head = "PUT /v2/acme/slow-manifest/manifests/v1 HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\
                content-type: application/vnd.oci.image.manifest.v1+json\r\n\r\n{";
    stream.write_all(head.as_bytes()).expect("send");
    let answer = until_cut(stream);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("MANIFEST_INVALID"), "{answer}");
    Client::new(registry.url()).get("/v2/acme/slow-manifest/tags/list").expect("an answer").expecting(404);
}

#[test]
fn an_abandoned_upload_is_removed() {
    let registry = Registry::start_with(&[("TAGSTONE_UPLOADS_LIFETIME", "1s")]);
    let client = Client::new(registry.url());
    let location = client.open_upload("acme/left").expect("an answer").expecting(202).location();
    client.patch(&location, 0, b"abc").expect("an answer").expecting(202);
    let uploads = registry.data().join("uploads");
    let left = || std::fs::read_dir(&uploads).expect("the directory of uploads").count();
    assert_eq!(left(), 1);
    // Looking at an upload does not keep it.
    let began = std::time::Instant::now();
    while client.get(&location).expect("an answer").status != 404 {
        assert!(began.elapsed() < NEVER, "the upload is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(left(), 0, "the session is gone, but its file is not");
    client.close_upload(&location, &support::client::digest_of(b"abc"), b"").expect("an answer").expecting(404);
}

#[test]
fn a_blob_in_one_request_whose_connection_is_reset_leaves_no_session() {
    let registry = Registry::start();
    let digest = support::client::digest_of(b"never sent whole");
    let uploads = registry.data().join("uploads");
    let left = || std::fs::read_dir(&uploads).expect("the directory of uploads").count();
    let wait_for = |sessions: usize, otherwise: &str| {
        let began = std::time::Instant::now();
        while left() != sessions {
            assert!(began.elapsed() < NEVER, "{otherwise}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut stream = connect(&registry);
    let head = format!(
        "POST /v2/acme/reset/blobs/uploads/?digest={digest} HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("send");
    stream.write_all(&[7; 300_000]).expect("send");
    wait_for(1, "the upload has not begun");
    // Without lingering, closing is a reset: the server drops the request in the middle of its work.
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("set SO_LINGER");
    drop(stream);
    wait_for(0, "a session is left that nobody knows of");
}

#[test]
fn a_head_that_the_library_does_not_hold_is_answered_without_a_body() {
    let registry = impatient();
    let fields = |many: usize| (0..many).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let head = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    let cases = [
        ("a long field", head("/v2/", &format!("x: {}\r\n", "y".repeat(140_000))), "431"),
        ("many fields", head("/v2/", &fields(200)), "431"),
        ("a long target", head(&format!("/v2/{}", "y".repeat(70_000)), ""), "400"),
    ];
    for (what, head, status) in cases {
        let mut stream = connect(&registry);
        // The server may have cut the connection before all of it is sent.
        let _ = stream.write_all(head.as_bytes());
        let answer = until_cut(stream);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a whole head");
        assert_eq!(body, "", "{what}: {answer}");
    }
    let metrics = Client::new(registry.url()).get("/metrics").expect("an answer").expecting(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let counted: Vec<_> = metrics.lines().filter(|line| line.starts_with("tagstone_limit_refusals_total{")).collect();
    assert!(!counted.is_empty() && counted.iter().all(|line| line.ends_with("} 0")), "{counted:?}");
}
