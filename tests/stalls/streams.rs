//! Streams of events over real connections: readers that stop, servers that stop, and long silence.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Method;

use crate::support::client::{Client, digest_of, manifest};
use crate::support::layout::OCI_MANIFEST;
use crate::support::registry::Registry;
use crate::{NEVER, connect};

const REPOSITORY: &str = "acme/app";

/// An open stream.
struct Stream {
    connection: BufReader<TcpStream>,
    text: String,
}

impl Stream {
    /// Opens a stream, and reads on to where its events begin.
    #[track_caller]
    fn open(registry: &Registry, query: &str, last_seen: Option<&str>) -> Self {
        let mut connection = connect(registry);
        let header = last_seen.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(connection, "GET /api/v1/events/stream{query} HTTP/1.1\r\nhost: a\r\n{header}\r\n").expect("send");
        let mut connection = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(connection.read_line(&mut head).expect("the head of an answer") > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let mut stream = Self { connection, text: String::new() };
        assert_eq!(stream.line(), "retry: 3000");
        while !stream.line().is_empty() {}
        stream
    }

    /// Reads a chunk. None at the end of the body, or where the connection was cut.
    fn chunk(&mut self) -> Option<()> {
        let mut size = String::new();
        match self.connection.read_line(&mut size) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("the stream stands still: {error}")
            }
            _ => {}
        }
        let size = usize::from_str_radix(size.trim_end(), 16).ok().filter(|size| *size > 0)?;
        let mut chunk = vec![0; size + 2];
        self.connection.read_exact(&mut chunk).ok()?;
        self.text.push_str(std::str::from_utf8(&chunk[..size]).expect("text"));
        Some(())
    }

    #[track_caller]
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.text.find('\n') {
                let line: String = self.text.drain(..=end).collect();
                return line.trim_end().to_owned();
            }
            self.chunk().expect("the stream has ended");
        }
    }

    /// The next event.
    #[track_caller]
    fn event(&mut self) -> Value {
        loop {
            if let Some(data) = self.line().strip_prefix("data: ") {
                return serde_json::from_str(data).expect("an event in JSON");
            }
        }
    }

    /// Reads up to the end, which must come.
    fn to_end(mut self) {
        while self.chunk().is_some() {}
    }
}

fn id(event: &Value) -> String {
    format!("{}.{}", event["seq"], event["index"])
}

/// Every event, as the list has them.
fn listed(client: &Client) -> Vec<Value> {
    let (mut events, mut next) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/events?order=asc{next}")).expect("an answer").expecting(200);
        let page: Value = serde_json::from_slice(&page.body).expect("JSON");
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        let Some(token) = page["next"].as_str() else { return events };
        next = format!("&next={token}");
    }
}

/// Pushes so many manifests, each under 64 tags, and every event as long as a client can make it.
fn push_many(client: &Client, name: &str, pushes: usize) {
    let config = client.push_blob(REPOSITORY, b"{}");
    for at in 0..pushes {
        let bytes = manifest((&config, 2), &[], &format!("{name}-{at}"));
        let tags: Vec<_> = (0..64).map(|tag| format!("tag={name}-{at}-{tag}")).collect();
        let path = format!("/v2/{REPOSITORY}/manifests/{}?{}", digest_of(&bytes), tags.join("&"));
        let agent = "a".repeat(256);
        let headers = [("content-type", OCI_MANIFEST), ("user-agent", agent.as_str())];
        client.send(Method::PUT, &path, &headers, &bytes).expect("an answer").expecting(201);
    }
}

#[test]
fn a_reader_that_stops_holds_no_writer_and_misses_nothing() {
    let registry = Registry::start();
    let client = Client::new(registry.url());
    let mut stream = Stream::open(&registry, "?from_seq=1", None);
    // It reads nothing while all of this is answered.
    push_many(&client, "many", 160);
    let expected = listed(&client);
    assert!(expected.len() > 10_000, "{}", expected.len());
    for event in &expected {
        assert_eq!(stream.event(), *event);
    }
    push_many(&client, "more", 1);
    assert_eq!(stream.event()["seq"].as_u64(), expected.last().and_then(|last| Some(last["seq"].as_u64()? + 1)));
}

#[test]
fn a_stream_goes_on_after_the_server_has_died() {
    let mut registry = Registry::start();
    let (mut seen, mut last) = (Vec::new(), None::<String>);
    for round in 0..3 {
        let mut stream = Stream::open(&registry, "?from_seq=1", last.as_deref());
        push_many(&Client::new(registry.url()), &format!("round-{round}"), 1);
        for _ in 0..30 {
            let event = stream.event();
            last = Some(id(&event));
            seen.push(event);
        }
        if round == 1 {
            registry.stop()
        } else {
            registry.kill9()
        }
        stream.to_end();
        registry.restart();
    }
    let mut stream = Stream::open(&registry, "", last.as_deref());
    let expected = listed(&Client::new(registry.url()));
    while seen.len() < expected.len() {
        seen.push(stream.event());
    }
    assert_eq!(seen, expected);
}

#[test]
fn a_server_that_stops_waits_for_no_stream() {
    // Longer than a test waits for the end of a server.
    let mut registry = Registry::start_with(&[("TAGSTONE_SHUTDOWN_GRACE", "10m")]);
    let client = Client::new(registry.url());
    let stuck = Stream::open(&registry, "?from_seq=1", None);
    rustix::net::sockopt::set_socket_recv_buffer_size(stuck.connection.get_ref(), 4_096).expect("set SO_RCVBUF");
    push_many(&client, "many", 160);
    let idle = Stream::open(&registry, "", None);
    let filtered = Stream::open(&registry, "?from_seq=1&tag=none", None);
    registry.stop();
    idle.to_end();
    filtered.to_end();
    drop(stuck);
}

#[test]
fn a_stream_lives_through_silence() {
    // Any other connection is cut after a second or so.
    let registry = Registry::start_with(&[("TAGSTONE_LIMITS_HEAD_TIMEOUT", "1s"), ("TAGSTONE_LIMITS_BODY_IDLE", "1s")]);
    let mut stream = Stream::open(&registry, "?kind=tag_moved", None);
    let client = Client::new(registry.url());
    client.push_blob(REPOSITORY, b"{}");
    let passed = id(listed(&client).last().expect("an event"));
    // What was passed over needs not be passed over again.
    assert_eq!(stream.line(), format!("id: {passed}"));
    assert_eq!(stream.line(), ": the stream is alive");
    push_many(&client, "late", 1);
    assert_eq!(stream.event()["tag"], "late-0-0");
}

#[test]
fn whoever_is_gone_makes_room() {
    let registry = Registry::start_with(&[("TAGSTONE_LIMITS_EVENT_STREAMS", "1")]);
    let client = Client::new(registry.url());
    let stream = Stream::open(&registry, "", None);
    let refused = client.get("/api/v1/events/stream").expect("an answer").expecting(503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    // Without lingering, closing is a reset.
    rustix::net::sockopt::set_socket_linger(stream.connection.get_ref(), Some(Duration::ZERO)).expect("set SO_LINGER");
    drop(stream);
    let began = Instant::now();
    loop {
        let mut connection = connect(&registry);
        connection.write_all(b"GET /api/v1/events/stream HTTP/1.1\r\nhost: a\r\n\r\n").expect("send");
        let mut status = String::new();
        BufReader::new(connection).read_line(&mut status).expect("a status");
        if status.contains(" 200 ") {
            return;
        }
        assert!(began.elapsed() < NEVER, "the place of a stream that is gone stays taken");
        std::thread::sleep(Duration::from_millis(20));
    }
}
