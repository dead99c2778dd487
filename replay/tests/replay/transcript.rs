//! Documents that show commands with what they print: `console` blocks in which each command begins with `$ `.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Set to anything, it writes what the commands print into the document.
const REWRITE: &str = "TAGSTONE_REWRITE_DOCUMENTS";

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

/// Runs every command of a document of `docs/` in the directory, and compares what it prints with what stands there.
/// Returns how many commands there are.
pub(crate) fn prints_what_it_shows(document: &str, directory: &Path) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (mut commands, mut wrong) = (0, Vec::new());
    let rewritten = with_outputs(&text, |shown| {
        commands += 1;
        let printed = printed(directory, &shown.command);
        if printed != shown.output {
            wrong.push(format!("$ {}\nshows:\n{}prints:\n{printed}", shown.command, shown.output));
        }
        printed
    });
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, rewritten).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}\nIf this is right, run the test with {REWRITE}=1.", wrong.join("\n"));
    }
    commands
}
