//! The `tagstone` binary as users and scripts meet it: what it accepts, what it says, and with which exit code it ends.

#[path = "../support/mod.rs"]
mod support;

mod command_line;
mod documentation;
mod exposure;
mod files;
mod guards;
mod healthcheck;
mod precedence;
mod restored;
mod run;
