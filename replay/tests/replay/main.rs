//! The forensic command line over data directories of every condition.

mod command;
mod contents;
mod damage;
mod directory;
mod export;
mod forged;
mod incident;
mod questions;
mod registry;
mod sound;
mod usage;
