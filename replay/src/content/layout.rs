//! Where everything lies in a data directory.

use std::path::{Path, PathBuf};

/// The paths of a data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the data directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file whose lock keeps a second process out.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The directory of the log.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The anchor of the log.
    pub fn anchor(&self) -> PathBuf {
        self.root.join("anchor")
    }
}
