//! Without authentication the server is for this machine alone, unless somebody insists.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::run::{SettingsFile, run, run_with, tagstone};

#[test]
fn an_address_that_others_reach_is_refused() {
    let file = SettingsFile::new("listen = \"0.0.0.0:5000\"");
    let from_file = run(&["serve", "--config", &file.name()]);
    let from_environment = run_with(&["serve"], &[("TAGSTONE_LISTEN", "[::]:5000")]);
    let from_flag = run(&["serve", "--listen", "192.0.2.1:5000"]);
    for (run, address) in [(from_file, "0.0.0.0:5000"), (from_environment, "[::]:5000"), (from_flag, "192.0.2.1:5000")]
    {
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{address}");
        for part in [address, "[auth]", "--insecure-open", "listen = \"127.0.0.1:5000\"", "--listen"] {
            assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
        }
    }
}

#[test]
fn check_notes_what_serve_would_refuse() {
    let file = SettingsFile::new("listen = \"0.0.0.0:5000\"");
    let run = run(&["config", "check", &file.name()]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("ok\nnote: ") && run.stdout.contains("--insecure-open"), "{}", run.stdout);
}

/// Starts a server that is open to all and returns the first line on stderr that speaks of it. The server is stopped
/// again at once.
fn warning(environment: &[(&str, &str)]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut server = tagstone()
        .args(["serve", "--insecure-open", "--listen", "0.0.0.0:0", "--data"])
        .arg(directory.path())
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).find(|line| line.contains("INSECURE"));
    let _ = server.kill();
    server.wait().unwrap();
    found
}

#[test]
fn insisting_is_allowed_and_loud() {
    for filter in ["info", "error", "off"] {
        let line = warning(&[("RUST_LOG", filter)]).unwrap();
        assert!(line.contains("0.0.0.0:0 without authentication (--insecure-open)"), "{filter}: {line}");
    }
}

#[test]
fn messages_can_be_json() {
    let line = warning(&[("TAGSTONE_LOG_FORMAT", "json")]).unwrap();
    let message: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(message["level"], "WARN");
    assert!(message["message"].as_str().unwrap().starts_with("INSECURE"), "{line}");
}

#[test]
fn a_reader_of_messages_that_went_away_is_no_reason_to_panic() {
    let directory = tempfile::tempdir().unwrap();
    for filter in ["info", "off"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut server = tagstone()
            .args(["serve", "--insecure-open", "--listen", "0.0.0.0:0", "--data"])
            .arg(directory.path())
            .env("RUST_LOG", filter)
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let _ = server.kill();
        assert_ne!(server.wait().unwrap().code(), Some(101), "{filter}: it panicked");
    }
}
