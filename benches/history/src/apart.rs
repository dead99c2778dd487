//! What is measured in a process of its own: memory that was used before is used again, and not as if it were new.

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::time::Duration;
use tagstone_compare::process::Process;

/// A state of millions of tags takes seconds to be made.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs this program in a role, which [`tells`](tell) what it has measured.
pub(crate) fn told<T: DeserializeOwned>(
    role: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<T> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::start(&format!("the process that measures {role}"), &mut command)?;
    let line = process.first_line(PATIENCE)?;
    process.finish(PATIENCE)?;
    serde_json::from_str(&line).with_context(|| format!("it said {line:?}"))
}

/// Tells it to the process that waits for it.
pub(crate) fn tell(measured: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(measured)?);
    Ok(())
}
