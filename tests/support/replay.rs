//! `tagstone-replay`, the second program of the workspace, as an investigator runs it on a stopped registry.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::command::{Outcome, run, run_within};
use super::tool::text;

const BUILD_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Runs `tagstone-replay COMMAND DATA ARGUMENTS…`.
#[track_caller]
pub(crate) fn replay(command: &str, data: &Path, arguments: &[&str]) -> Outcome {
    run(Command::new(program()).args([command, text(data)]).args(arguments))
}

/// The log of a stopped registry and all its bytes hold.
#[track_caller]
pub(crate) fn assert_verifies(data: &Path) {
    let outcome = replay("verify", data, &["--blobs", "--format", "json"]).succeeded();
    let report = outcome.json();
    assert_eq!(report["ok"], true, "verify exits with 0 and does not say ok: {outcome}");
    assert_eq!(
        report["problems"].as_array().map(Vec::len),
        Some(0),
        "verify exits with 0 and lists problems: {outcome}"
    );
}

/// The program stands beside the server's. Cargo builds it for the server's tests only if all of the workspace is tested.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_tagstone")).with_file_name("tagstone-replay");
        if !program.is_file() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "--package", "tagstone-replay"]).current_dir(env!("CARGO_MANIFEST_DIR"));
            if program.parent().is_some_and(|dir| dir.ends_with("release")) {
                cargo.arg("--release");
            }
            run_within(&mut cargo, BUILD_DEADLINE).succeeded();
        }
        assert!(program.is_file(), "cargo has built tagstone-replay, and not at {}", program.display());
        program
    })
}
