//! Wrong usage and unreadable sources: exit code 2, a message on stderr, nothing on stdout.

use std::fs;
use std::os::unix::fs::symlink;

use crate::command::replay;
use crate::directory::sound;

#[test]
fn wrong_usage_is_refused() {
    let (directory, _) = sound();
    let root = directory.path().to_str().unwrap();
    let file = directory.path().join("anchor");
    let (empty, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // What cannot be looked at: as root no permission is missing, but a link can lead nowhere.
    let looping = empty.path().join("looping");
    fs::create_dir(&looping).unwrap();
    symlink("log", looping.join("log")).unwrap();
    let (no_segments, _) = sound();
    fs::write(no_segments.path().join("segments"), "").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["verify"], "<SOURCE>"),
        (&["unheard-of", root], "unrecognized subcommand"),
        (&["verify", root, "--format", "xml"], "possible values: text, json, ndjson"),
        (&["verify", root, "--expect", "5"], "SEQ:HASH"),
        (&["verify", root, "--expect", "5:abc"], "SEQ:HASH"),
        (&["state", root, "--at", "yesterday"], "2026-11-01T12:00:00Z"),
        (&["state", root, "--at", "99999999999999999999"], "no point of a log"),
        (&["state", root, "--repository", "Not A Name"], "is not a repository name"),
        (&["state", root, "--repository", "a", "--fingerprint"], "cannot be used with"),
        (&["verify", "/does/not/exist"], "does not exist"),
        (&["verify", other.path().to_str().unwrap()], "holds neither `log` nor `anchor`"),
        (&["verify", file.to_str().unwrap()], "is no export of a log"),
        (&["verify", "/dev/null"], "neither a data directory, nor a file"),
        (&["verify", looping.to_str().unwrap()], "log does not exist or cannot be looked at: Too many levels"),
        (&["verify", no_segments.path().to_str().unwrap(), "--blobs"], "/segments: Not a directory"),
        (&["history", root, "registry.example:5000/acme/app:v1"], "without the host of the registry: acme/app:v1"),
        (&["why", root, "localhost:5000/acme/app:v1"], "without the host of the registry: acme/app:v1"),
        (&["state", "ftp://localhost:5000"], "begins with http:// or https://"),
        (&["state", "http://127.0.0.1:1"], "http://127.0.0.1:1 cannot be reached"),
        (&["state", "--user", "me", root], "needs the password in TAGSTONE_PASSWORD"),
        (&["state", "--cacert", "/nowhere/ca.pem", root], "the authorities in /nowhere/ca.pem cannot be read"),
        (&["state", "--cacert", "/dev/null", root], "/dev/null holds no certificate"),
    ];
    for (arguments, said) in cases {
        let run = replay(*arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.err.contains(said), "{arguments:?}: {run:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["verify", "--help"], &["--version"]] {
        assert_eq!(replay(arguments).code, 0, "{arguments:?}");
    }
}

#[test]
fn a_full_temporary_directory_is_named() {
    let (directory, _) = sound();
    let verified = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tagstone-replay"));
        let output = command.arg("verify").arg(directory.path()).env("TMPDIR", "/does/not/exist").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(verified(), (Some(0), String::new()), "the log of a registry that was stopped is not copied");
    std::fs::write(directory.path().join("log/note"), "").unwrap();
    let (code, said) = verified();
    assert_eq!(code, Some(2));
    assert!(said.contains("/does/not/exist"), "{said}");
}
