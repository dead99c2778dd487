//! `tagstone-replay`: what happened in a registry, read from its log alone.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
