//! `tagstone-replay` over the history: as a data directory and as an export.

use crate::Bench;
use crate::figure::Row;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tagstone_compare::number::grouped;
use tagstone_compare::process::Process;

/// A minute for ten million events, several times over.
const PATIENCE: Duration = Duration::from_secs(600);

/// The program, and a directory for what it copies.
struct Tool {
    program: PathBuf,
    scratch: PathBuf,
}

impl Tool {
    fn of(bench: &Bench<'_>) -> Self {
        Self { program: bench.programs.join("tagstone-replay"), scratch: bench.dir.to_path_buf() }
    }

    /// Runs it over a source: how many seconds that takes, and what it says.
    fn run(&self, arguments: &[&str], source: &Path, out: &[&Path]) -> Result<(f64, Value)> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg(source).args(out.iter().flat_map(|out| [Path::new("--out"), out]));
        command.args(["--format", "ndjson"]).env("TMPDIR", &self.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let began = Instant::now();
        let mut process = Process::start("tagstone-replay", &mut command)?;
        let line = process.first_line(PATIENCE)?;
        process.finish(PATIENCE)?;
        let taken = began.elapsed().as_secs_f64();
        Ok((taken, serde_json::from_str(&line).with_context(|| format!("tagstone-replay said {line:?}"))?))
    }
}

/// Beside the log lies the snapshot of a clean stop, which is compared with it.
pub(crate) fn with_snapshot(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    let tool = Tool::of(bench);
    let layout = &bench.made()?.layout;
    ensure!(layout.snapshot().is_file(), "there is no snapshot");
    let (taken, said) = tool.run(&["verify"], layout.root(), &[])?;
    ensure!(said["ok"] == true, "verified something else: {said}");
    Ok(vec![Row::once("verify-snapshot", "tagstone-replay verify, data directory with its snapshot", "s", taken)])
}

pub(crate) fn rows(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let tool = Tool::of(bench);
    let made = bench.made()?;
    let (events, directory, file) = (made.events, made.layout.root(), tool.scratch.join("history.export"));
    let (of_directory, whole) = tool.run(&["verify"], directory, &[])?;
    let (exporting, _) = tool.run(&["export"], directory, &[&file])?;
    let (of_export, same) = tool.run(&["verify"], &file, &[])?;
    ensure!(whole["ok"] == true && whole["events"] == events, "verified something else: {whole}");
    ensure!(whole == same, "the export is another log: {same} instead of {whole}");
    std::fs::remove_file(&file)?;
    let rows = [
        ("verify-dir", "tagstone-replay verify, data directory", of_directory),
        ("export", "tagstone-replay export, data directory", exporting),
        ("verify-export", "tagstone-replay verify, export", of_export),
    ];
    let events_title = |title: &str| format!("{title}, {} events", grouped(events));
    let rows = rows.into_iter().flat_map(|(key, title, seconds)| {
        let rate = Row::once(key, "the same", "events/s", events as f64 / seconds);
        [Row::once(key, events_title(title), "s", seconds), rate]
    });
    Ok(rows.collect())
}
