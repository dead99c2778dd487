//! What is wrong with the settings, and where.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A file, at a line counted from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "file {path:?} line {line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong with the settings, in words for whoever wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    source: Source,
    what: String,
}

impl Problem {
    pub(super) fn new(source: Source, what: impl Into<String>) -> Self {
        Self { source, what: what.into() }
    }

    /// The line of the file that is at fault, if one is; orders problems as a reader meets them.
    pub(super) fn line(&self) -> Option<usize> {
        match &self.source {
            Source::File(_, line) => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Default => f.write_str(&self.what),
            Source::File(path, line) => write!(f, "{}:{line}: {}", path.display(), self.what),
            Source::Environment(name) => write!(f, "{name}: {}", self.what),
            Source::Flag(flag) => write!(f, "{flag}: {}", self.what),
        }
    }
}
