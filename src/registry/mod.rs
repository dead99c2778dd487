//! The registry proper: what is asked of it, how it decides, and the one writer that commits.
//!
//! **Invariant**: nothing here knows HTTP, and [`decide`] does no IO.

mod clock;
mod command;
mod conflict;
mod decide;
mod published;
mod rejection;
mod writer;

pub use clock::{Clock, SystemClock};
pub use command::{Command, Condition, PutManifest, Sparse, Submission};
pub use conflict::{Candidate, Conflict, InForce, Judgement, Party, Warning, judge};
pub use decide::decide;
pub use published::{Published, Snapshot};
pub use rejection::Rejection;
pub use writer::{BatchBytes, Committed, Progress, WriteError, Writer, WriterHandle, WriterSettings};
