//! Another program run to its end, with everything it said kept for the assertion that may need it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No program of the tests needs this long; a program that hangs is killed after it and fails its test.
const DEADLINE: Duration = Duration::from_secs(180);

/// A program that has ended. Its `Display` is the whole story: command line, status, stdout, stderr.
pub(crate) struct Outcome {
    line: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs `command` to its end and keeps what it wrote.
///
/// # Panics
/// If it cannot be started, or has not ended at the deadline.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Outcome {
    run_within(command, DEADLINE)
}

/// [`run`] for what is known to take longer than any client: building a file system, compiling.
#[track_caller]
pub(crate) fn run_within(command: &mut Command, deadline: Duration) -> Outcome {
    let line = line(command);
    // Files rather than pipes: nobody has to drain them, and a grandchild that keeps one open cannot hold us up.
    let (stdout, stderr) = (scratch_file(), scratch_file());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().expect("duplicate the file for stdout"))
        .stderr(stderr.try_clone().expect("duplicate the file for stderr"))
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("wait for a child of ours") {
            return Outcome { line, status, stdout: contents(stdout), stderr: contents(stderr) };
        }
        if begun.elapsed() > deadline {
            child.kill().expect("kill a child of ours");
            let status = child.wait().expect("wait for a killed child");
            let outcome = Outcome { line, status, stdout: contents(stdout), stderr: contents(stderr) };
            panic!("still running after {deadline:?}, killed: {outcome}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

impl Outcome {
    /// This outcome, whose program exited with 0.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.status.success(), "failed: {self}");
        self
    }

    /// This outcome, whose program exited with anything but 0.
    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert!(!self.status.success(), "succeeded, and should have failed: {self}");
        self
    }

    pub(crate) fn success(&self) -> bool {
        self.status.success()
    }

    pub(crate) fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// stdout as text, without the white space round it.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|error| panic!("stdout is not UTF-8, {error}: {self}")).trim()
    }

    /// stdout parsed as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON, {error}: {self}"))
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let stderr = String::from_utf8_lossy(&self.stderr);
        write!(f, "\n$ {}\n{}\nstdout: {}\nstderr: {}", self.line, self.status, stdout.trim_end(), stderr.trim_end())
    }
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn scratch_file() -> File {
    tempfile::tempfile().expect("create a temporary file")
}

fn contents(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read back what a program wrote");
    bytes
}
