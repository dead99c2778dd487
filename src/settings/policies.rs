//! `[immutability]` and `[prune]`: what policies a registry begins with, and how often they prune.

use std::time::Duration;

use super::form::{Span, Switch};
use super::reader::Section;

/// Immutability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutability {
    /// Whether a new registry begins with a policy that protects names ending in `-immutable` and the like.
    pub suffix_convention: bool,
}

impl Immutability {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self { suffix_convention: section.take("suffix_convention", true, &Switch) }
    }
}

/// Pruning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// How often the prune policies are run.
    pub interval: Duration,
}

impl Prune {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self { interval: section.take("interval", Duration::from_secs(3600), &Span::seconds(1, 7 * 24 * 3600)) }
    }
}
