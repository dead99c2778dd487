//! Users, rules and certificates in the settings, as far as the command line is concerned.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::run::{SettingsFile, run, run_with, tagstone};

const SETTINGS: &str = "listen = \"0.0.0.0:0\"\n[auth]\nhtpasswd = \"users\"\nadmins = [\"root\", \"a\\\"b\"]\nanonymous = \"pull\"\n\
    [[access]]\nsubject = \"*\"\nrepositories = [\"acme/**\", \"x\"]\nactions = [\"pull\", \"delete\"]\n\
    [[access]]\nsubject = \"anonymous\"\nrepositories = [\"y\"]\nactions = []\n";

/// Settings with a file of users beside them.
fn settings(users: &str) -> SettingsFile {
    let file = SettingsFile::new(SETTINGS);
    fs::write(file.path().with_file_name("users"), users).unwrap();
    file
}

fn user(name: &str) -> String {
    format!("{name}:{}\n", bcrypt::hash("secret", 4).unwrap().replace("$2b$", "$2y$"))
}

#[test]
fn files_are_beside_the_settings_that_name_them() {
    let file = settings(&user("root"));
    let shown = run(&["config", "show", "--config", &file.name()]);
    let users = file.path().with_file_name("users");
    let line = shown.stdout.lines().find(|line| line.starts_with("htpasswd = ")).unwrap();
    let table: toml::Table = line.split(" # ").next().unwrap().parse().unwrap();
    assert_eq!(table["htpasswd"].as_str(), users.to_str(), "{line}");
    // One that the environment names is beside whoever names it.
    let shown = run_with(&["config", "show"], &[("TAGSTONE_AUTH_HTPASSWD", "users"), ("TAGSTONE_AUTH_ADMINS", "a, b")]);
    assert!(shown.stdout.contains("htpasswd = \"users\" # environment"), "{}{}", shown.stdout, shown.stderr);
    assert!(shown.stdout.contains("admins = [\"a\", \"b\"] # environment"), "{}", shown.stdout);
}

#[test]
fn what_show_prints_are_the_same_rules() {
    let file = settings(&user("root"));
    let shown = run(&["config", "show", "--config", &file.name()]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let parsed = |text: &str| text.parse::<toml::Table>().unwrap();
    let (first, rules) = (parsed(&shown.stdout), parsed(SETTINGS)["access"].clone());
    assert_eq!(first["access"], rules);
    assert_eq!(first["auth"]["admins"], parsed(SETTINGS)["auth"]["admins"]);
    let again = SettingsFile::new(&shown.stdout);
    let again = run(&["config", "show", "--config", &again.name()]);
    assert_eq!(parsed(&again.stdout), first, "{}", again.stderr);
}

#[test]
fn a_file_of_users_that_cannot_be_used_is_refused() {
    let absent = SettingsFile::new(SETTINGS);
    for (file, says) in [
        (settings("root:$apr1$a$b\n"), "users:1: the hash of \"root\" is not of bcrypt; make it with `htpasswd -B`"),
        (settings("# users\nroot\n"), "users:2: there is no colon"),
        (absent, "cannot read "),
    ] {
        let served = run(&["serve", "--config", &file.name()]);
        assert_eq!((served.code, served.stdout.as_str()), (Some(2), ""), "{}", served.stderr);
        assert!(served.stderr.contains(says), "{says:?} is not in {}", served.stderr);
        let checked = run(&["config", "check", &file.name()]);
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        assert!(checked.stdout.contains("note: ") && checked.stdout.contains(says), "{}", checked.stdout);
        let checked = run(&["config", "check", "--files", &file.name()]);
        assert_eq!((checked.code, checked.stdout.as_str()), (Some(2), ""), "{}", checked.stderr);
        assert!(checked.stderr.contains(says), "{}", checked.stderr);
    }
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    let rule = |subject: &str, repositories: &str| {
        let rule =
            format!("[[access]]\nsubject = \"{subject}\"\nrepositories = {repositories}\nactions = [\"pull\"]\n");
        let file = SettingsFile::new(format!("[auth]\nhtpasswd = \"users\"\n{rule}"));
        fs::write(file.path().with_file_name("users"), user("alice")).unwrap();
        file
    };
    for (file, says) in [
        (
            rule("alice", "[\"/acme/**\"]"),
            ":5: access.repositories has \"/acme/**\", which no repository can be called",
        ),
        (rule("alice", "[\"acme\", \"Acme/**\"]"), ":5: access.repositories has \"Acme/**\", which no repository"),
        (rule("alice", "[\"as-of/**\"]"), ":5: access.repositories has \"as-of/**\", which no repository"),
        (rule("alice", "[]"), ":5: access.repositories is empty"),
        (rule("$token", "[\"acme\"]"), ":4: access.subject is the string \"$token\", but takes"),
    ] {
        for command in [&["serve", "--config"][..], &["config", "check"]] {
            let run = run(&[command, &[&file.name()]].concat());
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
            assert!(run.stderr.contains(says), "{says:?} is not in {}", run.stderr);
        }
    }
}

#[test]
fn rules_that_are_hardly_meant_are_told() {
    let rules = "[[access]]\nsubject = \"*\"\nrepositories = [\"acme/**\"]\nactions = [\"pull\"]\n\
        [[access]]\nsubject = \"bob\"\nrepositories = [\"acme/**\"]\nactions = [\"push\"]\n";
    let file = SettingsFile::new(format!("[auth]\nhtpasswd = \"users\"\nadmins = [\"root\"]\n{rules}"));
    fs::write(file.path().with_file_name("users"), user("alice")).unwrap();
    let checked = run(&["config", "check", &file.name()]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for says in [
        "note: an administrator is not in the file of users, and cannot log in with a password: \"root\"\n",
        "note: [[access]] rule 2 (subject \"bob\", repositories [\"acme/**\"]) is about a user who is not in the file of users",
        "note: [[access]] rule 2 (subject \"bob\", repositories [\"acme/**\"]) never decides anything",
    ] {
        assert!(checked.stdout.contains(says), "{says:?} is not in {}", checked.stdout);
    }
}

#[test]
fn certificates_that_cannot_be_used_are_refused() {
    let file = SettingsFile::new("[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n");
    let served = run(&["serve", "--config", &file.name()]);
    assert_eq!((served.code, served.stdout.as_str()), (Some(2), ""), "{}", served.stderr);
    assert!(served.stderr.contains("tls: ") && served.stderr.contains("cert.pem: "), "{}", served.stderr);
}

#[test]
fn what_closes_a_door_to_everybody_is_said_at_the_start() {
    let certificate = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["registry.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let file = SettingsFile::new("[auth]\nhtpasswd = \"users\"\n[tls]\ncert = \"cert\"\nkey = \"key\"\n");
    let (cert, key) = certificate();
    for (name, text) in [("users", "# nobody yet\n"), ("cert", &cert), ("key", &key)] {
        fs::write(file.path().with_file_name(name), text).unwrap();
    }
    let server = Server::start(&file);
    let said = server.stop();
    for (line, part) in [
        ("WARN", "the file of users has none in it"),
        ("WARN", "there is no administrator"),
        ("WARN", "cert: it has expired at 2021-01-01T00:00:00.000000Z, and clients refuse it"),
    ] {
        assert!(said.lines().any(|said| said.contains(line) && said.contains(part)), "{part}: {said}");
    }
    let checked = run(&["config", "check", "--files", &file.name()]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("note: ") && checked.stdout.contains("it has expired"), "{}", checked.stdout);
}

/// A server with settings of a test, its data beside them.
struct Server {
    process: Child,
    address: String,
    data: TempDir,
}

impl Server {
    fn start(file: &SettingsFile) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut process = tagstone()
            .args(["serve", "--listen", "127.0.0.1:0", "--config", &file.name(), "--data"])
            .arg(data.path().join("new"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit('/').next().unwrap().to_owned();
        Self { process, address, data }
    }

    /// The status of a request with these lines in its head.
    fn ask(&self, request: &str, head: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n{head}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    fn ready(&self) {
        while self.ask("GET /readyz", "") != "200" {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that it has said.
    fn stop(mut self) -> String {
        let _ = self.process.kill();
        String::from_utf8(self.process.wait_with_output().unwrap().stderr).unwrap()
    }
}

fn basic(pair: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(pair))
}

#[test]
fn a_failed_login_is_a_line_with_address_and_user() {
    let file = settings(&user("root"));
    let text = fs::read_to_string(file.path()).unwrap();
    fs::write(file.path(), format!("{text}[log]\nfilter = \"info,tagstone::http::dispatch=debug\"\n")).unwrap();
    let server = Server::start(&file);
    server.ready();
    for (request, pair, status) in [
        ("GET /v2/", "root:hidden", "401"),
        ("GET /v2/", "a\" address=9.9.9.9 x\n\u{1b}[2J:hidden", "401"),
        ("GET /v2/", "hidden", "401"),
        ("GET /v2/", "root:secret", "200"),
        ("POST /v2/acme/app/blobs/uploads/", "root:secret", "202"),
    ] {
        assert_eq!(server.ask(request, &basic(pair)), status, "{pair}");
    }
    assert_eq!(server.ask("GET /v2/", "authorization: Bearer hidden\r\n"), "401");
    assert_eq!(server.ask("GET /api/v1/whoami", ""), "200");
    let modes = fs::metadata(server.data.path().join("new")).unwrap().permissions().mode() & 0o777;
    let said = server.stop();
    let failed: Vec<_> = said.lines().filter(|line| line.contains("a login failed")).collect();
    let form = "tagstone::http::door: a login failed address=127.0.0.1";
    for (line, level, rest) in [
        (0, " WARN ", " user=\"root\" reason=\"credentials\""),
        (1, " WARN ", " user=\"a\\\" address=9.9.9.9 x\\n\\u{1b}[2J\" reason=\"credentials\""),
        (2, " WARN ", " reason=\"credentials\""),
        (3, " INFO ", " reason=\"bearer_token\""),
    ] {
        assert!(failed[line].contains(level) && failed[line].ends_with(&format!("{form}{rest}")), "{said}");
    }
    assert_eq!((failed.len(), said.contains("hidden")), (4, false), "{said}");
    let acted = |line: &str, actor: &str| line.contains("dispatch: request ") && line.contains(actor);
    for (request, actor) in [
        ("method=POST", "actor=\"user:root\""),
        ("method=GET", "actor=\"user:root\""),
        ("whoami", "actor=\"anonymous:"),
    ] {
        assert!(said.lines().any(|line| line.contains(request) && acted(line, actor)), "{request}: {said}");
    }
    let refused = said.lines().filter(|line| line.contains("status=401"));
    assert!(refused.into_iter().all(|line| !line.contains("actor=")), "{said}");
    assert_eq!(modes, 0o700, "others may look into a new data directory");
}

#[test]
fn with_users_every_address_may_be_listened_on() {
    let file = settings(&user("root"));
    let data = tempfile::tempdir().unwrap();
    let mut server = tagstone()
        .args(["serve", "--config", &file.name(), "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _ = server.kill();
    let stderr = server.wait_with_output().unwrap().stderr;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(line.starts_with("tagstone listening on http://0.0.0.0:"), "{line}{stderr}");
    // Others can read what is sent there; and nobody can log in as the second administrator.
    assert!(stderr.contains("passwords are sent in the clear"), "{stderr}");
    assert!(stderr.contains("an administrator is not in the file of users"), "{stderr}");
    assert!(!stderr.contains("INSECURE"), "{stderr}");
}
