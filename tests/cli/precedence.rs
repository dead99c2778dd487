//! Flags win over the environment, the environment over the file, the file over defaults; `config show` tells which.

use std::os::unix::ffi::OsStrExt;

use tagstone::settings::{Place, Settings};

use crate::run::{Run, SettingsFile, run, run_with, tagstone};

/// The line of `config show` for a key that is unique by name.
fn line(run: &Run, key: &str) -> String {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let found = run.stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
    found.unwrap_or_else(|| panic!("no {key} in {}", run.stdout)).to_owned()
}

#[test]
fn each_source_wins_over_the_next() {
    let file = SettingsFile::new("data = \"of-file\"\nlisten = \"127.0.0.1:1001\"\n[writer]\nqueue = 7\n");
    let from_file = format!("file {:?} line", file.path());
    let show = |more: &[&str], environment: &[(&str, &str)]| {
        run_with(&[&["config", "show", "--config", &file.name()], more].concat(), environment)
    };
    let plain = run(&["config", "show"]);
    assert_eq!(line(&plain, "data"), "data = \"./tagstone-data\" # default");
    assert_eq!(line(&plain, "queue"), "queue = 4096 # default");

    let filed = show(&[], &[]);
    assert_eq!(line(&filed, "data"), format!("data = \"of-file\" # {from_file} 1"));
    assert_eq!(line(&filed, "queue"), format!("queue = 7 # {from_file} 4"));

    let environment = [("TAGSTONE_DATA", "of-env"), ("TAGSTONE_WRITER_QUEUE", "8"), ("TAGSTONE_SHUTDOWN_GRACE", "5s")];
    let set = show(&[], &environment);
    assert_eq!(line(&set, "data"), "data = \"of-env\" # environment TAGSTONE_DATA");
    assert_eq!(line(&set, "queue"), "queue = 8 # environment TAGSTONE_WRITER_QUEUE");
    assert_eq!(line(&set, "shutdown_grace"), "shutdown_grace = \"5s\" # environment TAGSTONE_SHUTDOWN_GRACE");
    assert_eq!(line(&set, "listen"), format!("listen = \"127.0.0.1:1001\" # {from_file} 2"));

    let flagged = show(&["--data", "of-flag", "--listen", "[::1]:0"], &environment);
    assert_eq!(line(&flagged, "data"), "data = \"of-flag\" # flag --data");
    assert_eq!(line(&flagged, "listen"), "listen = \"[::1]:0\" # flag --listen");
    assert_eq!(line(&flagged, "queue"), "queue = 8 # environment TAGSTONE_WRITER_QUEUE");
}

#[test]
fn every_key_can_be_set_in_the_environment() {
    for entry in Settings::declared().into_iter().filter(|entry| entry.place == Place::Once) {
        let default = entry.default.trim_matches('"').to_owned();
        let run = run_with(&["config", "show"], &[(&entry.variable(), &default)]);
        assert_eq!(run.code, Some(0), "{}: {}", entry.path(), run.stderr);
        let expected = format!("{} = {} # environment {}", entry.name, entry.default, entry.variable());
        assert!(run.stdout.lines().any(|line| line == expected), "{expected:?} is not in {}", run.stdout);
    }
}

#[test]
fn what_show_prints_is_a_settings_file() {
    let shown = run_with(&["config", "show", "--data", "a \"b\" \\ c\n#d"], &[("TAGSTONE_LOG_FORMAT", "json")]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let file = SettingsFile::new(&shown.stdout);
    let check = run(&["config", "check", &file.name()]);
    assert_eq!(check.code, Some(0), "{}", check.stderr);
    let again = run(&["config", "show", "--config", &file.name()]);
    let parsed = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(parsed(&again.stdout), parsed(&shown.stdout));
    assert_eq!(parsed(&again.stdout)["data"].as_str(), Some("a \"b\" \\ c\n#d"));
    assert!(!again.stdout.contains("# default"), "each value has to come from the file: {}", again.stdout);
}

#[test]
fn rust_log_counts_where_no_filter_is_set() {
    let filter = |arguments: &[&str], environment: &[(&str, &str)]| line(&run_with(arguments, environment), "filter");
    let show: &[&str] = &["config", "show"];
    assert_eq!(filter(show, &[("RUST_LOG", "debug")]), "filter = \"debug\" # environment RUST_LOG");
    assert_eq!(filter(show, &[("RUST_LOG", "")]), "filter = \"info\" # default");
    let both = [("RUST_LOG", "debug"), ("TAGSTONE_LOG_FILTER", "warn")];
    assert_eq!(filter(show, &both), "filter = \"warn\" # environment TAGSTONE_LOG_FILTER");
    let file = SettingsFile::new("[log]\nfilter = \"error\"");
    let filed = filter(&["config", "show", "--config", &file.name()], &[("RUST_LOG", "debug")]);
    assert!(filed.starts_with("filter = \"error\" # file"), "{filed}");
}

#[test]
fn mistakes_in_the_environment_are_named() {
    for (name, value, parts) in [
        ("TAGSTONE_LISTN", "x", &["TAGSTONE_LISTN: unknown", "TAGSTONE_LISTEN"][..]),
        ("TAGSTONE_LIMITS_MANIFEST_BYTE", "1", &["unknown", "the nearest known is TAGSTONE_LIMITS_MANIFEST_BYTES"]),
        ("TAGSTONE_LIMITS_MANIFEST_BYTES", "+5000", &["limits.manifest_bytes is \"+5000\"", "whole number of bytes"]),
        ("TAGSTONE_LIMITS_MANIFEST_BYTES", "", &["limits.manifest_bytes is \"\""]),
        ("TAGSTONE_CONTENT_DIRECT_IO", "1", &["content.direct_io is \"1\"", "true or false"]),
        ("TAGSTONE_UPLOADS_LIFETIME", "1w", &["TAGSTONE_UPLOADS_LIFETIME: uploads.lifetime is \"1w\"", "\"24h\""]),
        ("TAGSTONE_COLLECT_GRACE", "1w", &["TAGSTONE_COLLECT_GRACE: collect.grace is \"1w\"", "\"24h\""]),
        ("TAGSTONE_AUTH_BEARER_REALM", "x", &["TAGSTONE_AUTH_BEARER_REALM: auth.bearer.realm is \"x\"", "https://"]),
        ("TAGSTONE_AUTH_ADMINS", "a", &["TAGSTONE_AUTH_ADMINS: auth.admins names users", "no auth.htpasswd"]),
        ("TAGSTONE_TLS_CERT", "c", &["TAGSTONE_TLS_CERT: tls.cert needs tls.key"]),
        ("TAGSTONE_ACCESS_SUBJECT", "a", &["TAGSTONE_ACCESS_SUBJECT: unknown variable"]),
        ("RUST_LOG", "tagstone=loud", &["RUST_LOG: log.filter is \"tagstone=loud\""]),
    ] {
        let run = run_with(&["config", "show"], &[(name, value)]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{name}={value}");
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
        }
    }
}

#[test]
fn a_value_that_is_overridden_has_to_be_right_all_the_same() {
    let file = SettingsFile::new("data = 5");
    let run =
        run_with(&["config", "show", "--config", &file.name(), "--data", "right"], &[("TAGSTONE_LISTEN", "nowhere")]);
    assert_eq!(run.code, Some(2));
    for part in ["settings.toml:1: data is the number 5", "TAGSTONE_LISTEN: listen is \"nowhere\""] {
        assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_named() {
    let value = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let run: Run = tagstone().args(["config", "show"]).env("TAGSTONE_DATA", value).output().unwrap().into();
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("TAGSTONE_DATA") && run.stderr.contains("not UTF-8"), "{}", run.stderr);
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("TAGSTONE_PASSWORD", "secret"),
        ("TAGSTONE_PORT", "tcp://10.0.0.1:5000"),
        ("TAGSTONE_SERVICE_HOST", "10.0.0.1"),
        ("TAGSTONE_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("TAGSTONES", "many"),
    ];
    let run = run_with(&["config", "show"], &others);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stdout.contains("secret"));
}
