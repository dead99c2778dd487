//! The forensic command line over data directories of every condition.

mod command;
mod contents;
mod damage;
mod directory;
mod document;
mod documentation;
mod evidence;
mod export;
mod forensics;
mod forged;
mod incident;
mod questions;
mod registry;
mod sound;
mod tampered;
mod transcript;
mod unread;
mod usage;
