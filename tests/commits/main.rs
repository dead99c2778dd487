//! Commits: what the one writer promises to clients, to readers and to the next start.

mod batches;
mod commands;
mod crashes;
mod fake_disk;
mod faults;
mod model;
mod property;
mod prune_runs;
mod races;
mod refusals;
mod registry;
mod time;
