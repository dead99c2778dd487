//! Why a command did not do what it was asked, and the exit code that says so.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::settings::{Exposed, Problem};

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the settings are wrong; nothing was started. One line for each thing that is wrong.
    Usage(Vec<String>),
    /// The command was understood and failed.
    Failed(String),
}

impl Failure {
    /// A failure at run time.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }

    /// A mistake in what was asked.
    pub fn usage(why: impl fmt::Display) -> Self {
        Self::Usage(vec![why.to_string()])
    }

    /// Says why on stderr.
    pub fn report(&self) -> ExitCode {
        let (lines, code) = match self {
            Self::Usage(lines) => (lines.as_slice(), 2),
            Self::Failed(line) => (std::slice::from_ref(line), 1),
        };
        let mut stderr = io::stderr().lock();
        for line in lines {
            // Whoever closed stderr still has the exit code.
            let _ = writeln!(stderr, "tagstone: {line}");
        }
        ExitCode::from(code)
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Usage(problems.iter().map(Problem::to_string).collect())
    }
}

impl From<Exposed> for Failure {
    fn from(exposed: Exposed) -> Self {
        Self::usage(exposed)
    }
}

/// Writes what a command has to say to stdout. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format_args!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
