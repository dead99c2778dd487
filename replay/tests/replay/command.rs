//! Running the program and reading what it says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The report, where it is one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The seqs of the problems of a `verify` report.
    pub(crate) fn bad_seqs(&self) -> Vec<u64> {
        self.json()["problems"].as_array().unwrap().iter().map(|problem| problem["seq"].as_u64().unwrap()).collect()
    }

    /// All that the problems of a `verify` report say.
    pub(crate) fn problems(&self) -> String {
        let report = self.json();
        let problems = report["problems"].as_array().unwrap();
        problems.iter().map(|problem| format!("{}\n", problem["what"].as_str().unwrap())).collect()
    }
}

/// Runs the program. A run that panics is no test that passed, whatever its exit code.
pub(crate) fn replay<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tagstone-replay")).args(arguments).output().unwrap();
    let run = Run {
        code: output.status.code().unwrap_or_else(|| panic!("killed: {output:?}")),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.err.contains("panicked") && !run.err.contains("this is a bug"), "{run:?}");
    run
}

/// `verify --format json` with more arguments.
pub(crate) fn verify(root: &Path, more: &[&str]) -> Run {
    replay(["verify", "--format", "json", root.to_str().unwrap()].iter().chain(more))
}

/// `state --format json` with more arguments.
pub(crate) fn state(root: &Path, more: &[&str]) -> Run {
    replay(["state", "--format", "json", root.to_str().unwrap()].iter().chain(more))
}
