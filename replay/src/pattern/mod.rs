//! Patterns at work: which tags a policy selects, and what several of them select together.
//!
//! A pattern is written in the syntax of the `regex` crate and judged over the names that a tag can have. It is parsed
//! once, cut to those names ([`narrow`]), and compiled; everything after that works on tag names alone.

pub mod language;
mod matcher;
mod narrow;
mod referrer;
mod selector;
mod set;

pub use referrer::{is_referrer_tag, referrer_tags};
pub use selector::{PatternError, Selector};
pub use set::SelectorSet;

#[cfg(test)]
mod tests;
