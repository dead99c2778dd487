//! The forensic command line over data directories of every condition.

mod command;
mod contents;
mod damage;
mod directory;
mod documentation;
mod export;
mod forged;
mod incident;
mod questions;
mod sound;
mod usage;
