//! Where the bytes of blobs and manifests lie in a data directory, and how they are read and checked.
//!
//! Small content lies in segments ([`segment`]), large blobs in one file each ([`layout`]). Nothing in this module
//! writes: the forensic commands use it on evidence, the server on what it serves.

pub mod catalogue;
pub mod hash;
pub mod layout;
pub mod reader;
pub mod scan;
pub mod segment;
pub mod sidecar;

pub use hash::{ContentHasher, hash_of};
pub use layout::Layout;
pub use reader::{ContentProblem, ContentReader};
