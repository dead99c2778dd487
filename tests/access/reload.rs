//! Users, rules and certificates that change while the server runs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::client::Client;
use crate::support::guarded::{Files, RULES, password};
use crate::support::registry::Registry;

const READ_AGAIN: &str = "read users and rules of access again";

/// The status of a question for somebody who is known.
fn status(client: &Client, at: &str) -> u16 {
    client.get(at).expect("an answer").status
}

/// A stream of events that stays open. curl reads it, as it needs no buffer of ours.
struct Stream(Child, BufReader<std::process::ChildStdout>);

impl Stream {
    fn open(files: &Files, registry: &Registry, user: &str) -> Self {
        let mut curl = Command::new("curl")
            .args(["--silent", "--no-buffer", "--cacert"])
            .arg(files.path("ca.pem"))
            .args(["--user", &format!("{user}:{}", password(user))])
            .arg(format!("{}/api/v1/events/stream?from_seq=1", registry.url()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("start curl");
        let lines = BufReader::new(curl.stdout.take().expect("a piped stdout"));
        Self(curl, lines)
    }

    /// Reads on until this was said, and to the end of that event.
    #[track_caller]
    fn until(&mut self, part: &str) -> String {
        let mut read = String::new();
        while !read.contains(part) || !read.ends_with("\n\n") {
            assert_ne!(self.1.read_line(&mut read).expect("read from curl"), 0, "the stream ended before {part:?}");
        }
        read
    }

    /// What comes until the server ends the stream.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).expect("read from curl");
        rest
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn users_change_without_a_signal() {
    let files = Files::new(&["alice", "root"], RULES);
    let registry = files.start();
    let (alice, bob) = (files.client_of(&registry, "alice"), files.client_of(&registry, "bob"));
    assert_eq!((status(&alice, "/v2/"), status(&bob, "/v2/")), (200, 401));
    files.write_users(&["bob", "root"]);
    registry.has_said(READ_AGAIN, 1);
    // Alice's password was right a moment ago, and is not remembered.
    assert_eq!((status(&alice, "/v2/"), status(&bob, "/v2/")), (401, 200));
    // A file that is written in place is no other than one that is replaced.
    fs::write(files.path("users.htpasswd"), "").expect("write a file");
    registry.has_said(READ_AGAIN, 2);
    assert_eq!(status(&bob, "/v2/"), 401);
}

#[test]
fn rules_change_without_a_signal() {
    let files = Files::new(&["alice", "bob", "root"], RULES);
    let registry = files.start();
    let (alice, bob) = (files.client_of(&registry, "alice"), files.client_of(&registry, "bob"));
    alice.push_blob("acme/app", b"a blob");
    assert_eq!((status(&bob, "/v2/acme/app/tags/list"), status(&bob, "/v2/labs/x/tags/list")), (200, 403));
    files.write_rules("[[access]]\nsubject = \"*\"\nrepositories = [\"labs/**\"]\nactions = [\"pull\", \"push\"]\n");
    registry.has_said(READ_AGAIN, 1);
    assert_eq!((status(&bob, "/v2/acme/app/tags/list"), status(&bob, "/v2/labs/x/tags/list")), (403, 404));
    bob.push_blob("labs/x", b"a blob");
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let files = Files::new(&["alice", "root"], RULES);
    let registry = files.start();
    let alice = files.client_of(&registry, "alice");
    files.replace("users.htpasswd", "alice:$apr1$x$y\n");
    registry.has_said("htpasswd -B", 1);
    assert_eq!(status(&alice, "/v2/"), 200);
    files.write_rules("[[access]]\nsubject = \"*\"\nrepositories = [\"**\"]\naction = [\"pull\"]\n");
    registry.has_said("nearest known key is `actions`", 1);
    registry.hang_up();
    registry.has_said("nearest known key is `actions`", 2);
    assert_eq!((status(&alice, "/v2/"), status(&alice, "/v2/labs/x/tags/list")), (200, 403));
    files.write_users(&["alice", "bob", "root"]);
    files.write_rules(RULES);
    registry.has_said(READ_AGAIN, 1);
    assert_eq!(status(&files.client_of(&registry, "bob"), "/v2/"), 200);
}

#[test]
fn a_signal_reads_everything_again_and_ends_nothing() {
    let files = Files::new(&["alice", "root"], RULES);
    let registry = files.start();
    let alice = files.client_of(&registry, "alice");
    alice.push_blob("acme/app", b"before");
    let mut stream = Stream::open(&files, &registry, "alice");
    stream.until("acme/app");
    let upload = alice.open_upload("acme/app").expect("an answer").expecting(202).location();

    let old = shown(&registry);
    files.issue();
    registry.hang_up();
    registry.has_said("read the certificates again", 1);
    registry.has_said(READ_AGAIN, 1);
    let new = shown(&registry);
    assert_ne!(old, new, "new connections are shown the new certificate");

    let digest = crate::support::client::digest_of(b"after");
    alice.close_upload(&upload, &digest, b"after").expect("an answer").expecting(201);
    stream.until(&digest);

    fs::write(files.path("key.pem"), "no key").expect("write a file");
    registry.hang_up();
    registry.has_said("the certificates cannot be used; those in force stay", 1);
    assert_eq!(shown(&registry), new);
}

#[test]
fn a_stream_follows_the_rules() {
    let files = Files::new(&["alice", "bob", "root"], RULES);
    let registry = files.start();
    let root = files.client_of(&registry, "root");
    root.push_blob("acme/app", b"seen by both");
    let (mut of_alice, mut of_bob) = (Stream::open(&files, &registry, "alice"), Stream::open(&files, &registry, "bob"));
    of_alice.until("acme/app");
    of_bob.until("acme/app");

    files.write_users(&["bob", "root"]);
    registry.has_said(READ_AGAIN, 1);
    files.write_rules("[[access]]\nsubject = \"bob\"\nrepositories = [\"labs/**\"]\nactions = [\"pull\"]\n");
    registry.has_said(READ_AGAIN, 2);
    root.push_blob("acme/app", b"seen by nobody");
    root.push_blob("labs/x", b"seen by bob");
    let bob = of_bob.until("labs/x");
    assert!(!bob.contains("acme/app"), "{bob}");
    let rest = of_alice.rest();
    assert!(!rest.contains("acme/app") && !rest.contains("labs/x"), "{rest}");
}

/// The certificate that a new connection is shown.
fn shown(registry: &Registry) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", registry.host(), "-showcerts"])
        .stdin(Stdio::null())
        .output()
        .expect("run openssl");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let from = said.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate in {said}"));
    let end = said[from..].find("-----END").expect("the end of a certificate");
    said[from..from + end].to_owned()
}

#[test]
fn what_is_done_is_signed_with_the_name() {
    let files = Files::new(&["alice", "root"], RULES);
    let registry = files.start();
    let alice = files.client_of(&registry, "alice");
    alice.push_blob("acme/app", b"a blob");
    let events = alice.get("/api/v1/events?repository=acme/app").expect("an answer").expecting(200).json();
    assert_eq!(events["events"][0]["actor"], json!({"kind": "user", "name": "alice"}), "{events}");
    let who = |client: &Client| client.get("/api/v1/whoami").expect("an answer").expecting(200).json();
    assert_eq!(who(&alice), json!({"actor": {"kind": "user", "name": "alice"}, "administrator": false}));
    let root = files.client_of(&registry, "root");
    assert_eq!(who(&root), json!({"actor": {"kind": "user", "name": "root"}, "administrator": true}));
    let nobody = who(&files.client(&registry));
    assert_eq!((&nobody["actor"]["kind"], &nobody["administrator"]), (&json!("anonymous"), &json!(false)));
}
