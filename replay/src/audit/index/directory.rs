//! The files of an index: what is found in its directory at a start.
//!
//! The name of a run tells its records. Sound runs that follow one another from the first record on are the index; what
//! a merge or a crash has left beside them is removed, and so is everything behind the first gap.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tagstone_schema::{RecordHash, Seq};

use super::IndexError;
use super::run::{About, Run};
use crate::log::directory::create_directory;

/// The path of a run.
pub(super) fn path_of(directory: &Path, about: &About) -> PathBuf {
    directory.join(name_of(about.from, about.to))
}

/// The runs of an index. Everything else in its directory, which is made if need be, is removed.
pub(super) fn recovered(directory: &Path) -> Result<Vec<Arc<Run>>, IndexError> {
    create_directory(directory).map_err(IndexError::of("opening"))?;
    let mut named: BTreeSet<(Seq, Seq)> = BTreeSet::new();
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(IndexError::of("opening"))? {
        let entry = entry.map_err(IndexError::of("opening"))?;
        named.extend(entry.file_name().to_str().and_then(seqs_of));
        paths.push(entry.path());
    }
    let mut runs: Vec<Arc<Run>> = Vec::new();
    while let Some(run) = following(directory, &named, runs.last().map(|run| run.about())) {
        runs.push(Arc::new(run));
    }
    paths.retain(|path| !runs.iter().any(|run| run.file.path == *path));
    paths.iter().try_for_each(|path| remove(path))?;
    Ok(runs)
}

/// Removes everything, the newest records first: what a crash leaves is still the beginning of an index.
pub(super) fn clear(directory: &Path) -> Result<(), IndexError> {
    let entries = fs::read_dir(directory).map_err(IndexError::of("clearing"))?;
    let paths: Result<BTreeSet<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(IndexError::of("clearing"))?.iter().rev().try_for_each(|path| remove(path))
}

/// Removes whatever has a name.
pub(super) fn remove(path: &Path) -> Result<(), IndexError> {
    let removed = fs::symlink_metadata(path)
        .and_then(|about| if about.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(IndexError::new("removing a file of", error)),
        _ => Ok(()),
    }
}

/// The longest sound run that begins where another one ends.
fn following(directory: &Path, named: &BTreeSet<(Seq, Seq)>, last: Option<&About>) -> Option<Run> {
    let before = last.map_or(RecordHash::ZERO, |last| last.hash);
    let from = last.map_or(0, |last| last.to).checked_add(1)?;
    let seqs = named.range((from, from)..=(from, Seq::MAX)).rev();
    seqs.filter_map(|(from, to)| {
        let run = Run::open(&directory.join(name_of(*from, *to))).ok()?;
        let about = run.about();
        let is_right = (about.from, about.to, about.before) == (*from, *to, before)
            && last.is_none_or(|last| last.seed == about.seed);
        is_right.then_some(run)
    })
    .next()
}

fn name_of(from: Seq, to: Seq) -> String {
    format!("{from:020}-{to:020}.run")
}

/// The records that the name of a run tells.
fn seqs_of(name: &str) -> Option<(Seq, Seq)> {
    let (from, to) = name.strip_suffix(".run")?.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (name_of(from, to) == name && from <= to).then_some((from, to))
}
