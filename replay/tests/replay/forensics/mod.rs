//! docs/forensics.md: every command in it is run on the registry of its story, and prints what stands there.

mod scene;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set to anything, it writes what the commands print into the document.
const REWRITE: &str = "TAGSTONE_REWRITE_DOCUMENTS";

/// A command of the document, and the lines that stand below it.
struct Shown {
    command: String,
    output: String,
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/forensics.md")
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

/// What a shell prints on both of its outputs, with the exit code where it is not 0.
fn printed(directory: &Path, command: &str) -> String {
    let tool = Path::new(env!("CARGO_BIN_EXE_tagstone-replay")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap_or_default());
    let ran = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(directory)
        .env("PATH", path)
        .output();
    let ran = ran.unwrap();
    let mut text: String =
        String::from_utf8(ran.stdout).unwrap().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if let Some(code) = ran.status.code().filter(|code| *code != 0) {
        text.push_str(&format!("(exit code {code})\n"));
    }
    text
}

#[test]
fn the_investigation_prints_what_the_document_shows() {
    let directory = tempfile::tempdir().unwrap();
    scene::play(&directory.path().join("tagstone-data"));
    let text = std::fs::read_to_string(document()).unwrap();
    let (mut commands, mut wrong) = (0, Vec::new());
    let rewritten = with_outputs(&text, |shown| {
        commands += 1;
        let printed = printed(directory.path(), &shown.command);
        if printed != shown.output {
            wrong.push(format!("$ {}\nshows:\n{}prints:\n{printed}", shown.command, shown.output));
        }
        printed
    });
    assert!(commands > 10, "the document has only {commands} commands");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(document(), rewritten).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}\nIf this is right, run the test with {REWRITE}=1.", wrong.join("\n"));
    }
}
