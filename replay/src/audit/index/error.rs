//! Why the index cannot be used.

use std::fmt::Display;

/// What was done when a run turned out not to be as it was written.
pub(super) const READING: &str = "reading";

/// Why the index cannot be used. The log is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing} the index of the audit failed: {why}")]
pub struct IndexError {
    doing: &'static str,
    why: String,
}

impl IndexError {
    pub(in crate::audit) fn new(doing: &'static str, why: impl Display) -> Self {
        Self { doing, why: why.to_string() }
    }

    /// Whether what is there cannot be read: the index is in doubt then, while what cannot be written takes nothing away.
    pub(super) fn is_of_reading(&self) -> bool {
        self.doing == READING
    }

    /// For `map_err`.
    pub(super) fn of<E: Display>(doing: &'static str) -> impl Fn(E) -> Self {
        move |why| Self::new(doing, why)
    }
}
