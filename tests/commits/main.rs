//! Commits: what the one writer promises to clients, to readers and to the next start.

mod batches;
mod bulk;
mod commands;
mod crashes;
mod expiry;
mod fake_disk;
mod faults;
mod gate;
mod linearity;
mod model;
mod policy_races;
mod property;
mod prune_runs;
mod races;
mod random;
mod refusals;
mod registry;
mod removal;
mod time;
