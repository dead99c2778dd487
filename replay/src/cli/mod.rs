//! The command line.
//!
//! Exit codes: 0 what was asked holds; 1 a violation, corruption or difference was found; 2 the usage is wrong, or the
//! source cannot be read. The report goes to stdout; everything said about the run itself goes to stderr.

mod asking;
mod audit;
mod audit_text;
mod clock;
mod diff;
mod diff_text;
mod events;
mod export;
mod history;
mod invocation;
mod listing;
mod output;
mod panics;
mod progress;
mod restore;
mod state;
mod state_text;
mod state_view;
mod verify;
mod whereabouts;
mod why;
mod wording;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use invocation::Invocation;

/// Reads the log of a Tagstone registry, verifies it, and answers what happened.
///
/// SOURCE is the data directory of a stopped registry, an exported file, or the URL of a running registry. Nothing is
/// ever written to it.
///
/// Exit codes: 0 holds; 1 a violation, corruption or difference was found; 2 usage, or the source is unreadable.
#[derive(Debug, Parser)]
#[command(name = "tagstone-replay", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    invocation: Invocation,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Verify),
    State(state::ShowState),
    Diff(diff::Diff),
    History(history::History),
    Events(Box<events::Events>),
    Why(why::ShowWhy),
    Where(whereabouts::Where),
    Audit(audit::Audit),
    Export(export::Export),
    Restore(restore::Restore),
}

/// What a command found, when it could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Holds,
    Violated,
}

impl Finding {
    fn exit_code(self) -> ExitCode {
        match self {
            Self::Holds => ExitCode::SUCCESS,
            Self::Violated => ExitCode::from(1),
        }
    }
}

/// Why a command could not do its work: exit code 2.
#[derive(Debug)]
struct Unable(String);

impl<E: std::error::Error> From<E> for Unable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The whole program.
pub(crate) fn main() -> ExitCode {
    // clap exits by itself: with 0 after help, with 2 after wrong usage.
    let arguments = Arguments::parse();
    panics::reported(|| match run(&arguments) {
        Ok(finding) => finding.exit_code(),
        Err(Unable(why)) => {
            eprintln!("tagstone-replay: {why}");
            ExitCode::from(2)
        }
    })
}

fn run(arguments: &Arguments) -> Result<Finding, Unable> {
    let asked = &arguments.invocation;
    match &arguments.command {
        Command::Verify(verify) => verify.run(asked),
        Command::State(state) => state.run(asked),
        Command::Diff(diff) => diff.run(asked),
        Command::History(history) => history.run(asked),
        Command::Events(events) => events.run(asked),
        Command::Why(why) => why.run(asked),
        Command::Where(whereabouts) => whereabouts.run(asked),
        Command::Audit(audit) => audit.run(asked),
        Command::Export(export) => export.run(asked),
        Command::Restore(restore) => restore.run(asked),
    }
}
