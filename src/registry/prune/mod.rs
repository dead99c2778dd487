//! Prune runs: tags that nobody needs any more are found by a policy's rule and deleted.
//!
//! A run selects over the published state, repository by repository, without stopping writes; what it has found is
//! judged once more by `decide`, at the moment of deletion. So a tag that became protected, moved or went meanwhile is
//! skipped, and the run goes on.

mod packing;
mod report;
mod run;
mod selection;
mod subject;
#[cfg(test)]
mod tests;

pub use report::{Listed, PrunedTag, Report, SkippedTag, WhySkipped};
pub use run::{Order, Pruner, RunError, Stop, Way};
pub(super) use subject::is_held;
