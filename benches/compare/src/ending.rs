//! How a program that measures ends: with its figures in a file and an exit code.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

/// Writes all figures to a file.
pub fn write_json(file: &Path, figures: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
}

/// The exit code of a run; it is one where the run broke off or anything in it failed.
pub fn exit_code(all_went_well: Result<bool>) -> ExitCode {
    match all_went_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
