//! Why the index cannot be used.

use std::fmt::Display;

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

    /// For `map_err`.
    pub(super) fn of<E: Display>(doing: &'static str) -> impl Fn(E) -> Self {
        move |why| Self::new(doing, why)
    }
}
