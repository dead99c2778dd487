//! Other people's tools: where they are found, and what a missing one means.
//!
//! A tool is looked for on the `PATH` and then in `$HOME/.cache/tagstone-tools/bin`. Where CI runs (`CI=true`) a missing tool is a
//! failure; elsewhere the test prints the reason and ends without having tested anything.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::command::{Outcome, run};

/// An installed program, with a home directory of its own so that no configuration of this machine's user takes part.
pub(crate) struct Tool {
    path: PathBuf,
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// Finds a program by its name, or says that this test has to end here.
///
/// # Panics
/// Under `CI=true`, if the program is missing.
pub(crate) fn tool(name: &str) -> Option<Tool> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&on_path).chain([cache().join("bin")]).map(|dir| dir.join(name)).find(|at| at.is_file());
    found_or_missing(name, found)
}

/// The Python that has the `oras` client of PyPI: that of the virtual environment beside the cached tools.
pub(crate) fn python_with_oras() -> Option<Tool> {
    let python = cache().join("venv").join("bin").join("python");
    found_or_missing("python with the PyPI package oras", python.is_file().then_some(python))
}

/// Ends a test that this machine cannot run, with the reason.
pub(crate) fn not_on_this_machine(reason: &str) {
    eprintln!("NOT TESTED: {reason}");
}

impl Tool {
    /// Runs the tool with only what it needs of the environment.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        run(self.command().args(arguments))
    }

    /// [`Tool::run`] in the tool's home directory, for tools that take only relative paths.
    #[track_caller]
    pub(crate) fn run_at_home(&self, arguments: &[&str]) -> Outcome {
        run(self.command().args(arguments).current_dir(self.home()))
    }

    /// The same tool with one more variable in its environment.
    pub(crate) fn with_env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// A directory of this tool alone, for what it writes. It is removed with the tool.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path in [`Tool::home`], as text for a command line.
    pub(crate) fn at_home(&self, name: &str) -> String {
        text(&self.home().join(name)).to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").as_deref().unwrap_or(OsStr::new("/usr/sbin:/usr/bin:/sbin:/bin")))
            .env("LANG", "C.UTF-8")
            .env("HOME", self.home())
            .env("TMPDIR", self.home())
            .env("XDG_CONFIG_HOME", self.home().join("config"))
            .env("XDG_CACHE_HOME", self.home().join("cache"))
            .env("XDG_DATA_HOME", self.home().join("share"))
            .env("XDG_RUNTIME_DIR", self.home())
            // The keys that cosign makes in a test are worth nothing.
            .env("COSIGN_PASSWORD", "")
            .env("REGCTL_CONFIG", self.home().join("regctl.json"))
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }
}

/// A path as text for a command line; all paths of the tests are of ASCII.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_else(|| panic!("{} is not UTF-8", path.display()))
}

fn found_or_missing(name: &str, found: Option<PathBuf>) -> Option<Tool> {
    if let Some(path) = found {
        let home = TempDir::new().expect("create a home directory for a tool");
        return Some(Tool { path, home, environment: Vec::new() });
    }
    let missing = format!("{name} is neither on the PATH nor in {}", cache().display());
    assert!(env::var("CI").as_deref() != Ok("true"), "{missing}: with CI=true every client has to be tested");
    not_on_this_machine(&missing);
    None
}

fn cache() -> PathBuf {
    let home = env::var_os("HOME").unwrap_or_default();
    PathBuf::from(home).join(".cache").join("tagstone-tools")
}
