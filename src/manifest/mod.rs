//! Manifests as documents: strict reading of what a client pushes, and of what the registry has stored.

mod document;

pub use document::{Descriptor, Document, DocumentError};
