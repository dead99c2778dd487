//! The examples of docs/replay.md are what the program says.

use std::fs;
use std::path::Path;

use crate::command::replay;
use crate::incident::incident;

/// The commands of the document with the output that stands below each.
fn examples(document: &str) -> Vec<(&str, String)> {
    let blocks = document.split("```console\n").skip(1).filter_map(|block| block.split("```").next());
    let examples = blocks.filter_map(|block| {
        let (command, output) = block.strip_prefix("$ tagstone-replay ")?.split_once('\n')?;
        Some((command, output.to_owned()))
    });
    examples.collect()
}

/// Tables are padded with spaces that nobody wants in a document.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn every_example_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/replay.md");
    let document = fs::read_to_string(path).unwrap();
    let examples = examples(&document);
    assert_eq!(examples.len(), 6);
    let directory = incident();
    for (command, output) in examples {
        let (arguments, shows_code) = match command.strip_suffix("; echo $?") {
            Some(arguments) => (arguments, true),
            None => (command, false),
        };
        let source = directory.path().to_str().unwrap();
        let run = replay(arguments.split(' ').map(|word| if word == "incident" { source } else { word }));
        let code = if shows_code { format!("{}\n", run.code) } else { String::new() };
        assert_eq!(trimmed(&output), format!("{}{code}", trimmed(&run.out)), "{command}");
    }
}
