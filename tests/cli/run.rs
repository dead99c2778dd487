//! Runs the binary in an environment of which the test knows everything.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What a finished run left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The binary with an empty environment, yet to be given its arguments.
pub(crate) fn tagstone() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagstone"));
    command.env_clear();
    command
}

/// Runs the binary with `arguments` until it ends.
pub(crate) fn run(arguments: &[&str]) -> Run {
    run_with(arguments, &[])
}

/// Runs the binary with `arguments` and `environment` until it ends.
pub(crate) fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    tagstone().args(arguments).envs(environment.iter().copied()).output().unwrap().into()
}

/// A settings file that lasts as long as the value.
pub(crate) struct SettingsFile {
    directory: TempDir,
}

impl SettingsFile {
    pub(crate) fn new(text: impl AsRef<[u8]>) -> Self {
        let file = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::write(file.path(), text).unwrap();
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("settings.toml")
    }

    pub(crate) fn name(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }
}
