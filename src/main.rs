//! The `tagstone` command.

use std::path::Path;
use std::process::ExitCode;

use tagstone::cli::{Command, Failure};
use tagstone::settings::Settings;
use tagstone_schema::Position;

fn main() -> ExitCode {
    let done = match Command::of_process() {
        Command::Serve(serve) => serve.settings().and_then(|settings| run_server(&settings)),
        Command::Config(config) => config.run(),
        Command::Healthcheck(check) => check.run(),
        Command::Recover(given) => recover(&given.data, given.head),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run_server(_settings: &Settings) -> Result<(), Failure> {
    Err(Failure::failed("this build has no server"))
}

fn recover(_data: &Path, _head: Option<Position>) -> Result<(), Failure> {
    Err(Failure::failed("this build has no recovery"))
}
