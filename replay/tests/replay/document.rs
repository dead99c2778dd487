//! Documents that show commands with what they print: `console` blocks in which each command begins with `$ `.
//!
//! The tests of the server use this file as well.

use std::fs;
use std::path::Path;

/// Set to anything, it writes what the commands print into the document.
const REWRITE: &str = "REWRITE_DOCUMENTS";

/// A command of the document, and the lines that stand below it.
struct Shown {
    command: String,
    output: String,
}

/// Goes through the text; each command's output is replaced by what `print` says.
fn with_outputs(text: &str, mut print: impl FnMut(&Shown) -> String) -> String {
    let (mut written, mut shown, mut inside) = (String::new(), None::<Shown>, false);
    let mut end = |shown: &mut Option<Shown>, written: &mut String| {
        if let Some(shown) = shown.take() {
            written.push_str(&print(&shown));
        }
    };
    for line in text.lines() {
        let is_fence = line.starts_with("```");
        if is_fence || (inside && line.starts_with("$ ")) {
            end(&mut shown, &mut written);
        }
        if is_fence {
            inside = line == "```console";
        }
        match (&mut shown, inside.then(|| line.strip_prefix("$ ")).flatten()) {
            (_, Some(command)) => shown = Some(Shown { command: command.to_owned(), output: String::new() }),
            (Some(shown), None) => {
                shown.output.push_str(line);
                shown.output.push('\n');
                continue;
            }
            (None, None) => {}
        }
        written.push_str(line);
        written.push('\n');
    }
    written
}

/// Compares what every command of the document prints with what stands there. Returns how many commands there are.
pub(crate) fn compared(path: &Path, mut print: impl FnMut(&str) -> String) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let (mut commands, mut wrong) = (0, Vec::new());
    let rewritten = with_outputs(&text, |shown| {
        commands += 1;
        let printed = print(&shown.command);
        if printed != shown.output {
            wrong.push(format!("$ {}\nshows:\n{}prints:\n{printed}", shown.command, shown.output));
        }
        printed
    });
    if std::env::var_os(REWRITE).is_some() {
        fs::write(path, rewritten).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}\nIf this is right, run the test with {REWRITE}=1.", wrong.join("\n"));
    }
    commands
}
