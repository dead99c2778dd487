//! The rules of immutability: told one by one, and compared with a model that only scans history.

mod naive;
mod preview;
pub(crate) mod property;
mod rules;
