//! An OCI container registry whose tags keep their word.

pub mod content;
