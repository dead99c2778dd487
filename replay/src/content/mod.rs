//! Where the bytes lie.
mod layout;
pub use layout::Layout;
