//! The forensic command line over data directories of every condition.

mod command;
mod contents;
mod damage;
mod directory;
mod export;
mod forged;
mod sound;
mod usage;
