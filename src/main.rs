//! The `tagstone` command.

use std::path::Path;
use std::process::ExitCode;

use tagstone::cli::{Command, Failure};
use tagstone::serve::serve;
use tagstone::tls::install_provider;
use tagstone_replay::content::Layout;
use tagstone_replay::log::Recovered;
use tagstone_replay::log::directory::DirectoryLock;
use tagstone_schema::Position;

fn main() -> ExitCode {
    install_provider();
    let done = match Command::of_process() {
        Command::Serve(given) => {
            given.settings().and_then(|(settings, guards)| serve(&settings, &guards).map_err(Failure::failed))
        }
        Command::Config(config) => config.run(),
        Command::Healthcheck(check) => check.run(),
        Command::Recover(given) => recover(&given.data, given.head),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Shows the head of a log whose anchor is lost or above it; writes a new anchor when that head is named.
fn recover(data: &Path, accept: Option<Position>) -> Result<(), Failure> {
    let layout = Layout::new(data);
    if !layout.log().is_dir() {
        return Err(Failure::failed(format!("{} holds no log", data.display())));
    }
    let _lock = DirectoryLock::take(&layout.lock()).map_err(Failure::failed)?;
    let Recovered { head, holds_anchor } = tagstone_replay::log::recover(&layout, accept).map_err(Failure::failed)?;
    match accept {
        Some(position) if position.seq == head.seq && position.hash == head.hash => {
            println!("the anchor now stands at {head}");
            Ok(())
        }
        Some(_) => {
            Err(Failure::failed(format!("the log ends at {head}, not at the head that was named; nothing was changed")))
        }
        None if holds_anchor => {
            println!(
                "the log is sound up to {head}, and its anchor agrees: nothing is wrong with it, and nothing is to be recovered"
            );
            Ok(())
        }
        None => {
            println!(
                "the log is sound up to {head}\nIf this is all that can be had, accept it with:\n  tagstone recover --data {} --head {head}",
                data.display()
            );
            Ok(())
        }
    }
}
