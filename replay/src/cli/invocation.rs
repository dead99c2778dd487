//! What every command is told beside its own arguments.

use clap::Args;
use tagstone_replay::source::{self, DataDirectory};

use super::Unable;
use super::output::Format;

/// Options of all commands.
#[derive(Debug, Args)]
pub(super) struct Invocation {
    /// How the report is written to stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

impl Invocation {
    /// Opens a source that holds a whole log.
    pub(super) fn open(&self, given: &str) -> Result<DataDirectory, Unable> {
        Ok(source::open(given)?)
    }
}
