//! Usage: help, version, and the exit codes of mistakes.

use crate::run::run;

#[test]
fn the_version_is_told() {
    let run = run(&["--version"]);
    assert_eq!((run.code, run.stdout), (Some(0), format!("tagstone {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn help_names_every_command() {
    let run = run(&["--help"]);
    assert_eq!(run.code, Some(0));
    for command in ["serve", "config", "healthcheck", "recover"] {
        assert!(run.stdout.contains(command), "{command}");
    }
}

#[test]
fn mistakes_of_usage_exit_with_2() {
    let short_head = ["recover", "--data", "d", "--head", "5:abc"];
    for arguments in [
        &[][..],
        &["serv"],
        &["serve", "--port", "5000"],
        &["serve", "more"],
        &["config"],
        &["config", "check"],
        &["recover"],
        &short_head,
        &["healthcheck", "--timeout", "soon"],
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
    assert!(run(&short_head).stderr.contains("SEQ:HASH"));
}

#[test]
fn a_file_is_no_data_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let served = run(&["serve", "--listen", "127.0.0.1:0", "--data", file.path().to_str().unwrap()]);
    assert_eq!((served.code, served.stdout.as_str()), (Some(1), ""), "{}", served.stderr);
    assert!(served.stderr.contains("it is a file, not a directory"), "{}", served.stderr);
}

#[test]
fn bad_flags_are_named() {
    let listen = run(&["serve", "--listen", "localhost:5000"]);
    assert_eq!(listen.code, Some(2));
    assert!(listen.stderr.contains("--listen: listen is \"localhost:5000\""), "{}", listen.stderr);
    let data = run(&["config", "show", "--data", ""]);
    assert_eq!(data.code, Some(2));
    assert!(data.stderr.contains("--data: data is \"\""), "{}", data.stderr);
}
