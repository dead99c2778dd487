//! The questions asked of an export: the answers are those of the directory that it came from.

use super::ask_of;
use crate::directory::digest;
use crate::incident::incident;

#[test]
fn an_export_answers_what_its_directory_answers() {
    let directory = incident();
    let aside = tempfile::tempdir().unwrap();
    let file = aside.path().join("incident.export");
    let run = ask_of(directory.path(), "export", &["--out", file.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let one = digest("one").to_string();
    for (command, arguments) in [
        ("events", &[][..]),
        ("history", &["acme/app"]),
        ("why", &["acme/app:v1", "--at", "12"]),
        ("where", &[&one]),
        ("diff", &["--from", "3", "--to", "17"]),
        ("audit", &[]),
    ] {
        for format in ["text", "json", "ndjson"] {
            let arguments = [arguments, &["--format", format]].concat();
            let [there, here] = [directory.path(), &file].map(|source| ask_of(source, command, &arguments));
            assert_eq!((there.code, &there.out), (here.code, &here.out), "{command}");
            assert!(!here.out.is_empty(), "{command}");
        }
    }
}

#[test]
fn a_part_of_a_log_answers_no_question() {
    let directory = incident();
    let aside = tempfile::tempdir().unwrap();
    let file = aside.path().join("part.export");
    let run = ask_of(directory.path(), "export", &["--out", file.to_str().unwrap(), "--from-seq", "5"]);
    assert_eq!(run.code, 0, "{run:?}");
    for (command, arguments) in [("events", &[][..]), ("history", &["lib"]), ("audit", &[])] {
        let run = ask_of(&file, command, arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{command}: {run:?}");
        assert!(run.err.contains("begins behind record 4"), "{command}: {run:?}");
    }
}
