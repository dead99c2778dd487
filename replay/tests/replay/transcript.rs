//! Documents whose commands are run, and print what stands there.

use std::path::Path;
use std::process::Command;

use crate::document::compared;

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
    compared(&path, |command| printed(directory, command))
}
