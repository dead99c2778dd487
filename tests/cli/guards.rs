//! Users, rules and certificates in the settings, as far as the command line is concerned.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

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
