//! `tagstone healthcheck` against servers that are ready, not ready, absent, or something else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Run, SettingsFile, run, run_with};

/// A server that takes one connection, reads the request's head, and hands both to `answer`; the URL and the listener's
/// port.
fn server(answer: impl FnOnce(TcpStream, String) + Send + 'static) -> (String, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        answer(stream, String::from_utf8(request).unwrap());
    });
    (format!("http://127.0.0.1:{port}"), port)
}

fn answering(answer: &'static str) -> (String, u16) {
    server(move |mut stream, _| stream.write_all(answer.as_bytes()).unwrap())
}

fn assert_unhealthy(run: &Run, parts: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    for part in parts {
        assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
    }
}

#[test]
fn a_ready_server_is_healthy() {
    let (url, _) = server(|mut stream, request| {
        let is_right = request.starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:");
        let status = if is_right { "200 OK" } else { "400 Bad Request" };
        stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
    });
    let run = run(&["healthcheck", "--url", &url]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "ready\n", ""));
}

#[test]
fn the_settings_say_where_to_ask() {
    let (_, port) = answering("HTTP/1.1 200 OK\r\n\r\n");
    let file = SettingsFile::new(format!("listen = \"0.0.0.0:{port}\""));
    let from_file = run(&["healthcheck", "--config", &file.name()]);
    assert_eq!(from_file.code, Some(0), "{}", from_file.stderr);

    let (_, port) = answering("HTTP/1.1 200 OK\r\n\r\n");
    let from_environment = run_with(&["healthcheck"], &[("TAGSTONE_LISTEN", &format!("127.0.0.1:{port}"))]);
    assert_eq!(from_environment.code, Some(0), "{}", from_environment.stderr);

    let any_port = run_with(&["healthcheck"], &[("TAGSTONE_LISTEN", "127.0.0.1:0")]);
    assert_unhealthy(&any_port, &["port 0", "--url"]);
}

#[test]
fn a_server_that_is_not_ready_is_not_healthy() {
    let (url, _) = answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    assert_unhealthy(&run(&["healthcheck", "--url", &url]), &[&url, "not ready: 503 Service Unavailable"]);
    let (url, _) = answering("HTTP/1.1 404 Not Found\r\n\r\n");
    assert_unhealthy(&run(&["healthcheck", "--url", &url]), &["not ready: 404 Not Found"]);
}

#[test]
fn a_port_without_a_server_is_not_healthy() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = run(&["healthcheck", "--url", &format!("http://127.0.0.1:{port}")]);
    assert_unhealthy(&refused, &["cannot connect", "refused"]);
}

#[test]
fn another_protocol_is_not_healthy() {
    for garbage in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1\r\n", "HTTP/1.1 two hundred\r\n", "HTTP/1.1 200", "\n", ""] {
        let (url, _) = answering(garbage);
        assert_unhealthy(&run(&["healthcheck", "--url", &url]), &["the answer is not HTTP"]);
    }
    let (url, _) = server(|mut stream, _| {
        // Endless and without a line: the reading has to stop by itself.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_unhealthy(&run(&["healthcheck", "--url", &url]), &["the answer is not HTTP"]);
}

#[test]
fn silence_and_slowness_are_cut_off() {
    let slow = |mut stream: TcpStream, _: String| {
        while stream.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    };
    let silent = |stream: TcpStream, _: String| {
        thread::sleep(Duration::from_secs(60));
        drop(stream);
    };
    for (url, _) in [server(slow), server(silent)] {
        let started = Instant::now();
        let run = run(&["healthcheck", "--url", &url, "--timeout", "300"]);
        assert_unhealthy(&run, &["no answer in time"]);
        assert!(started.elapsed() < Duration::from_secs(20), "the deadline did not hold");
    }
}

#[test]
fn a_url_that_is_none_is_a_usage_error() {
    for url in ["localhost:5000", "https://", "http://", "ftp://x"] {
        let run = run(&["healthcheck", "--url", url]);
        assert_eq!(run.code, Some(2), "{url}");
        assert!(run.stderr.contains(url) && run.stderr.contains("http://127.0.0.1:5000"), "{}", run.stderr);
    }
}
