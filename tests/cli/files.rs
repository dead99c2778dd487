//! Settings files with mistakes: each is refused by `check`, `show` and `serve` alike, with exit code 2 and words that
//! lead to the mistake.

use crate::run::{Run, SettingsFile, run};

/// A file, and for each of its problems what the line on stderr has to contain.
type Case = (&'static str, &'static [&'static [&'static str]]);

/// A rule of access by itself.
const RULE: &str = "[[access]]\nsubject = \"*\"\nrepositories = [\"**\"]\nactions = [\"pull\"]\n";

const CASES: &[Case] = &[
    ("lisen = \"127.0.0.1:1\"", &[&["settings.toml:1:", "unknown key `lisen`", "`listen`"]]),
    ("[limits]\nmanifest_byte = 1", &[&["settings.toml:2:", "`manifest_byte` in [limits]", "`manifest_bytes`"]]),
    ("manifest_bytes = 1", &[&["unknown key `manifest_bytes` at the top", "`manifest_bytes` in [limits]"]]),
    ("[limits]\nlisten = \"127.0.0.1:1\"", &[&["unknown key `listen` in [limits]", "`listen` at the top"]]),
    ("[limits.extra]\nx = 1", &[&["unknown key `extra` in [limits]", "nearest"]]),
    ("[limit]\nmanifest_bytes = 1", &[&["unknown section [limit]", "[limits]"]]),
    ("limits = 5", &[&["limits is the number 5", "it is a section: write [limits]"]]),
    ("[[limits]]\nx = 1", &[&["limits is a list of sections", "write [limits] once"]]),
    (
        "[limits]\nmanifest_bytes = \"4MiB\"",
        &[&["limits.manifest_bytes is the string \"4MiB\"", "whole number of bytes"]],
    ),
    ("[limits]\nmanifest_bytes = 4.5", &[&["limits.manifest_bytes", "fraction", "whole number of bytes"]]),
    ("[limits]\nmanifest_bytes = -1", &[&["limits.manifest_bytes is the number -1", "1024 to 67108864"]]),
    ("[limits]\nmanifest_bytes = 99999999999999999999", &[&["limits.manifest_bytes", "99999999999999999999"]]),
    ("[limits]\nbody_idle = \"soon\"", &[&["limits.body_idle is the string \"soon\"", "duration", "such as \"60s\""]]),
    ("[limits]\nbody_idle = 60", &[&["limits.body_idle is the number 60", "such as \"60s\""]]),
    ("[limits]\nbody_idle = \"181s\"", &[&["limits.body_idle", "\"181s\"", "3m"]]),
    ("[limits]\nhead_timeout = \"61s\"", &[&["limits.head_timeout", "\"61s\"", "60s"]]),
    ("listen = \"localhost\"", &[&["listen is the string \"localhost\"", "IP address and a port", "127.0.0.1:5000"]]),
    ("data = \"\"", &[&["data is the string \"\"", "a directory"]]),
    ("[content]\ndirect_io = \"yes\"", &[&["content.direct_io is the string \"yes\"", "true or false"]]),
    ("[log]\nformat = \"xml\"", &[&["log.format is the string \"xml\"", "\"text\" or \"json\""]]),
    ("[log]\nfilter = \"tagstone=loud\"", &[&["log.filter is the string \"tagstone=loud\"", "RUST_LOG"]]),
    ("[uploads]\nlifetime = [1]", &[&["uploads.lifetime is a list", "duration"]]),
    ("[uploads]\nlifetime = 2026-01-01", &[&["uploads.lifetime is a date", "duration"]]),
    ("\n[tls]\ncert = \"c\"", &[&["settings.toml:3:", "tls.cert needs tls.key"]]),
    ("[tls]\nkey = \"k\"", &[&["settings.toml:2:", "tls.key needs tls.cert"]]),
    ("[tls]\nclient_ca = \"k\"", &[&["tls.client_ca means nothing without tls.cert"]]),
    ("\n[tls]", &[&["settings.toml:2:", "[tls] has no `cert` and no `key`"]]),
    ("[tls]\ncerts = \"c\"\ncert = \"c\"\nkey = \"k\"", &[&["settings.toml:2:", "`certs` in [tls]", "`cert`"]]),
    ("[auth]\nhtpasswd = 5", &[&["auth.htpasswd is the number 5"]]),
    ("\n[auth]\nanonymous = \"pull\"", &[&["settings.toml:2:", "[auth] has no `htpasswd`"]]),
    ("[auth]\nhtpasswd = \"\"\nadmins = [\"a\"]", &[&["settings.toml:3:", "auth.admins", "no auth.htpasswd"]]),
    ("[auth]\nhtpasswd = \"\"\nanonymous = \"pull\"", &[&["settings.toml:3:", "without auth.htpasswd"]]),
    ("[auth]\nhtpasswd = \"u\"\nadmins = \"a\"", &[&["auth.admins is the string \"a\"", "a list of names of users"]]),
    ("[auth]\nhtpasswd = \"u\"\nadmins = [\"a:b\"]", &[&["auth.admins is a list of the string \"a:b\""]]),
    ("[auth]\nhtpasswd = \"u\"\nanonymous = \"push\"", &[&["auth.anonymous", "\"none\" or \"pull\""]]),
    ("[auth.bearer]\nrealm = \"r\"", &[&["settings.toml:2:", "auth.bearer.realm", "https://"]]),
    ("[auth]\nhtpasswd = \"u\"\n[auth.bearer]", &[&["settings.toml:3:", "auth.bearer needs all of"]]),
    ("[auth]\nhtpasswd = \"u\"\n[auth.bearer]\njwks = \"j\"", &[&["settings.toml:4:", "auth.bearer needs all of"]]),
    ("[auth]\nhtpasswd = \"u\"\nbearer.admins = [\"a\"]", &[&["settings.toml:3:", "auth.bearer needs all of"]]),
    (
        "[auth]\nhtpasswd = \"u\"\nbearer = 5",
        &[&["auth.bearer needs all of"], &["settings.toml:3:", "auth.bearer is the number 5", "[auth.bearer]"]],
    ),
    (
        "[auth]\nhtpasswd = \"u\"\n[auth.bearer]\nrelm = \"r\"",
        &[&["auth.bearer needs"], &["settings.toml:4:", "`relm` in [auth.bearer]", "`realm`"]],
    ),
    ("[auth]\nhtpasswd = \"u\"\n[auth.barer]", &[&["settings.toml:3:", "`barer` in [auth]"]]),
    ("[limits]\ntoken_lifetime = \"30s\"", &[&["limits.token_lifetime", "60s to 3660d"]]),
    ("[http]\ntrusted_proxies = [\"10.0.0.0/33\"]", &[&["http.trusted_proxies", "10.0.0.0/33", "a list of networks"]]),
    (
        "[http]\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]",
        &[&["; the string \"proxy\" in it is not a network such as 10.0.0.0/8"]],
    ),
    (
        "[auth.bearer]\nrealm = \"https://auth.example/token\"\n[[access]]\nsubject = \"a\"\nrepositories = [\"**\"]\nactions = []\n",
        &[&["settings.toml:2:", "auth.bearer needs all of `realm`, `service`, `issuer` and `jwks`"]],
    ),
    (
        "[auth]\nhtpasswd = \"u\"\n[[access]]\nsubject = \"a\"\nrepositories = [\"**\"]\nactions = []\nhtpaswd = 1\n",
        &[&["settings.toml:7:", "unknown key `htpaswd` in [[access]]; the nearest known key is `"]],
    ),
    (RULE, &[&["settings.toml:1:", "[[access]] means nothing without auth.htpasswd"]]),
    ("[access]\nsubject = \"a\"", &[&["access is a section", "write [[access]]"]]),
    ("access = 1", &[&["access is the number 1", "write [[access]]"]]),
    (
        "[auth]\nhtpasswd = \"u\"\n[[access]]\nsubject = \"a\"\nrepository = [\"**\"]\nactions = [\"pull\"]\n",
        &[
            &["settings.toml:3:", "[[access]] has no `repositories`"],
            &["settings.toml:5:", "`repository` in [[access]]", "nearest known key is `repositories`"],
        ],
    ),
    (
        "[auth]\nhtpasswd = \"u\"\n[[access]]\nsubject = 5\nrepositories = [\"a[\"]\nactions = [\"read\"]\n",
        &[
            &["settings.toml:4:", "access.subject is the number 5"],
            &[
                "settings.toml:5:",
                "access.repositories is a list of the string \"a[\"",
                "globs over repositories; the string \"a[\" in it is wrong: ",
            ],
            &["settings.toml:6:", "access.actions", "\"pull\", \"push\", \"delete\"; the string \"read\" in it is not"],
        ],
    ),
    ("[prune]\ninterval = \"0s\"", &[&["prune.interval"]]),
    ("[immutability]\nsuffix_convention = 1", &[&["immutability.suffix_convention"]]),
    ("listen = ", &[&["settings.toml:1:", "not valid TOML"]]),
    ("[log]\n\n[log]\n", &[&["settings.toml:3:", "not valid TOML"]]),
    ("data = \"a\"\ndata = \"b\"", &[&["settings.toml:2:", "not valid TOML"]]),
    (
        "listen = 1\n[limits]\nmanifest_byte = 1\nbody_idle = \"1\"\n[collect]\nx = 1\n[writer]\nbatch = 0\n",
        &[
            &["settings.toml:1:", "listen is the number 1"],
            &["settings.toml:3:", "`manifest_byte`"],
            &["settings.toml:4:", "limits.body_idle"],
            &["settings.toml:6:", "`x` in [collect]"],
            &["settings.toml:8:", "writer.batch is the number 0"],
        ],
    ),
];

fn assert_refused(run: &Run, problems: &[&[&str]], context: &str) {
    assert_eq!(run.code, Some(2), "{context}: {}", run.stderr);
    assert_eq!(run.stdout, "", "{context}");
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), problems.len(), "{context}: {}", run.stderr);
    for (line, parts) in lines.iter().zip(problems) {
        for part in *parts {
            assert!(line.contains(part), "{context}: {part:?} is not in {line:?}");
        }
    }
}

#[test]
fn every_mistake_is_named() {
    for (text, problems) in CASES {
        let file = SettingsFile::new(text);
        assert_refused(&run(&["config", "check", &file.name()]), problems, text);
    }
}

#[test]
fn show_and_serve_refuse_what_check_refuses() {
    let text = "[limits]\nmanifest_byte = 1\n[collect]\ngrace = \"1w\"\n";
    let problems: &[&[&str]] = &[&["manifest_byte"], &["collect.grace"]];
    let file = SettingsFile::new(text);
    assert_refused(&run(&["config", "show", "--config", &file.name()]), problems, "show");
    assert_refused(&run(&["serve", "--config", &file.name()]), problems, "serve");
    assert_refused(&run(&["healthcheck", "--config", &file.name()]), problems, "healthcheck");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().to_str().unwrap();
    let absent = format!("{folder}/absent.toml");
    assert_refused(&run(&["config", "check", &absent]), &[&["cannot read", "absent.toml", "No such file"]], "absent");
    assert_refused(&run(&["config", "check", folder]), &[&["cannot read", folder, "directory"]], "a directory");
    assert_refused(&run(&["serve", "--config", &absent]), &[&["cannot read", "absent.toml"]], "serve");
    let latin = SettingsFile::new(b"data = \"caf\xe9\"");
    assert_refused(&run(&["config", "check", &latin.name()]), &[&["cannot read", "not UTF-8 after byte 11"]], "latin");
    let endless = &["config", "check", "/dev/zero"];
    assert_refused(&run(endless), &[&["cannot read /dev/zero", "larger than 1048576 bytes"]], "endless");
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let file = SettingsFile::new(format!("listen = \"{}\"", "é".repeat(5000)));
    let run = run(&["config", "check", &file.name()]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.len() < 1000 && run.stderr.contains("and so on"), "{}", run.stderr);
}

#[test]
fn good_files_are_ok() {
    for text in ["", "# nothing\n", "\u{feff}data = \"x\"", "limits.page_entries = 0x10", "[limits]\nblob_bytes = 0"] {
        let file = SettingsFile::new(text);
        let run = run(&["config", "check", &file.name()]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{text:?}");
        assert_eq!(run.stdout, format!("{}: ok\n", file.name()));
    }
}

#[test]
fn the_environment_does_not_enter_a_check() {
    let file = SettingsFile::new("");
    let run = crate::run::run_with(&["config", "check", &file.name()], &[("TAGSTONE_LISTEN", "nowhere")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}
