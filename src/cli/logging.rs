//! Messages on stderr, through `tracing`.

use std::io;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::settings::{Log, LogFormat};

/// Sends the messages of this process to stderr, as `[log]` has it. Called once; a filter that is not one was already
/// refused where settings are read, and is refused here again.
pub(super) fn init(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(&log.filter)
        .map_err(|error| Failure::usage(format_args!("log.filter is {:?}: {error}", log.filter)))?;
    // An error of writing would be told on stderr, which is what just failed, and end in a panic.
    let messages = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    let started = match log.format {
        LogFormat::Text => messages.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => messages.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::failed(format_args!("cannot start logging: {error}")))
}
