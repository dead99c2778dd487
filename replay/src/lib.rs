//! What an investigator needs of a Tagstone registry: its log, the fold of the log, and the questions asked of both.
//!
//! Everything here is synchronous; there is no HTTP server and no network runtime.

pub mod audit;
pub mod content;
pub mod export;
pub mod fold;
pub mod log;
pub mod pattern;
pub mod question;
pub mod source;
