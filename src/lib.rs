//! An OCI container registry whose tags keep their word.

pub mod cli;
pub mod content;
pub mod settings;
