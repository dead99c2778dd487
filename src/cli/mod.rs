//! The command line of `tagstone`.

mod configuration;
mod failure;
mod healthcheck;
mod logging;
mod start;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tagstone_schema::Position;

use crate::settings::{Flags, Sources};

pub use configuration::ConfigCommand;
pub use failure::Failure;
pub use healthcheck::HealthCheck;

#[derive(Parser)]
#[command(name = "tagstone", version, about, arg_required_else_help = true)]
struct Tagstone {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the registry
    Serve(Serve),
    /// Check a settings file, or show the settings in effect
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running server whether it is ready; exit 0 if it is
    Healthcheck(HealthCheck),
    /// Bring a data directory back that no longer opens
    Recover(Recover),
}

/// `tagstone serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the settings come from.
    #[command(flatten)]
    pub given: Given,
    /// Serve others than this machine although there is no authentication: whoever reaches it is administrator
    #[arg(long)]
    pub insecure_open: bool,
}

/// `tagstone recover`
#[derive(Debug, Args)]
pub struct Recover {
    /// The data directory of a stopped registry
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The last record to keep, from an export, a backup or another witness
    #[arg(long, value_name = "SEQ:HASH")]
    pub head: Option<Position>,
}

/// The flags by which settings are given.
#[derive(Clone, Debug, Args)]
pub struct Given {
    /// The settings file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// The address and port to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
}

impl Given {
    fn sources(self) -> Sources {
        Sources::of_process(self.config, Flags { listen: self.listen, data: self.data })
    }
}

impl Command {
    /// The command that this process was started with. Help, the version and usage errors end the process here, the
    /// last with exit code 2.
    pub fn of_process() -> Self {
        Tagstone::parse().command
    }
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Tagstone::command().debug_assert();
    }
}
