//! The machine that a run is on, and the disk that it uses.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// What a tmpfs calls itself in `statfs`.
const TMPFS: u64 = 0x0102_1994;

/// A directory of this run on a real disk: a registry whose syncs cost nothing says nothing.
pub fn disk(parent: &Path) -> Result<tempfile::TempDir> {
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let parent = parent.canonicalize()?;
    let kind = rustix::fs::statfs(&parent)?.f_type;
    ensure!(u64::try_from(kind) != Ok(TMPFS), "{} is a tmpfs; give a directory on a disk by --dir", parent.display());
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(parent)?)
}

/// What the figures were measured on, and whether it was busy with other things.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let busy = load.parse::<f64>().is_ok_and(|load| load > 0.5);
    let warning = if busy { "; other programs were running: expect ratios, not figures, to hold" } else { "" };
    format!("{cores} cores, {}, load {load} before the start{warning}", model.trim_start_matches([' ', '\t', ':']))
}
