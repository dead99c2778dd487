//! `restore`: a new data directory from an export.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tagstone_replay::content::Layout;
use tagstone_replay::fold::Fingerprint;
use tagstone_replay::log::directory::{
    DirectoryLock, create_directory, create_private_directory, naming, sync_directory,
};
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_replay::source::{ExportFile, Replay, Source, Step, replay};
use tagstone_schema::{EncodedRecord, Head};

use super::invocation::Invocation;
use super::output::{self, Format};
use super::progress::Progress;
use super::state::said_problems;
use super::verify::HeadView;
use super::{Finding, Unable};

/// Make a new data directory from an export.
///
/// The export is verified while it is written: its chain, its end, and that every event is legal. If something is wrong
/// with it, there is no data directory, and the exit code is 1. An export that does not begin with record 1 cannot be
/// restored. The bytes of manifests and blobs are not part of an export: copy them, too, or the registry answers 404 for
/// them; `verify --blobs` lists what is missing.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The exported file.
    file: PathBuf,
    /// The new data directory. It is made, or must be empty.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Serialize)]
struct Report<'a> {
    data: &'a Path,
    records: u64,
    events: u64,
    head: HeadView,
    fingerprint: Fingerprint,
}

impl Restore {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let source = ExportFile::open(&self.file)?;
        let before = source.begins_behind();
        if before.seq > 0 {
            let what = format!(
                "{} continues a log behind record {}: a log is restored from its first record on, so export it whole",
                self.file.display(),
                before.seq
            );
            return Err(Unable(what));
        }
        let place = NewDirectory::take(&self.data)?;
        let mut restored = Restored::begin(&place)?;
        let mut progress = Progress::over("records");
        let replayed = replay(&source, &mut |step| {
            progress.step();
            restored.look(&step);
        });
        drop(progress);
        let replayed = replayed?;
        let finding = said_problems(&replayed);
        if finding == Finding::Violated {
            drop(restored);
            eprintln!(
                "tagstone-replay: nothing was restored, since the export does not hold. It is sound up to record {}",
                replayed.head.seq
            );
            return Ok(finding);
        }
        restored.finish(replayed.head)?;
        place.keep()?;
        self.report(asked.format, &replayed)?;
        Ok(finding)
    }

    fn report(&self, format: Format, replayed: &Replay) -> io::Result<()> {
        let report = Report {
            data: &self.data,
            records: replayed.records,
            events: replayed.events,
            head: (&replayed.head).into(),
            fingerprint: replayed.state.fingerprint(),
        };
        output::write(|out| match format {
            Format::Json => output::json(out, &report),
            Format::Ndjson => output::json_line(out, &report),
            Format::Text => text(out, &report),
        })
    }
}

fn text(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "records      {}", report.records)?;
    writeln!(out, "events       {}", report.events)?;
    writeln!(out, "head         {}", report.head)?;
    writeln!(out, "fingerprint  {}", report.fingerprint)?;
    writeln!(
        out,
        "\nThe log is restored. Manifests and blobs are not part of an export; `tagstone-replay verify --blobs` lists what \
         is missing."
    )
}

/// A data directory that is being made.
///
/// The log grows in a directory below it, and takes its place when it is whole: whatever ends a restore before that, a
/// server finds no shorter log, but a directory that it refuses.
struct NewDirectory {
    layout: Layout,
    below: Layout,
    was_there: bool,
    is_kept: bool,
    _lock: DirectoryLock,
}

impl NewDirectory {
    fn take(root: &Path) -> Result<Self, Unable> {
        let layout = Layout::new(root);
        let was_there = root.exists();
        if was_there {
            let entries = fs::read_dir(root).map_err(naming("reading", root))?;
            for entry in entries {
                let name = entry?.file_name();
                // It is in every fresh ext4.
                if name != "lost+found" {
                    let what = format!(
                        "{} is not empty: it holds `{}`. A log is restored into a new directory",
                        root.display(),
                        name.to_string_lossy()
                    );
                    return Err(Unable(what));
                }
            }
        }
        create_private_directory(root)?;
        let lock = DirectoryLock::take(&layout.lock())?;
        let below = Layout::new(root.join("restoring"));
        let place = Self { layout, below, was_there, is_kept: false, _lock: lock };
        create_directory(place.below.root())?;
        Ok(place)
    }

    /// Puts what was made in its place. Dying in between leaves a log without an anchor, which no server accepts.
    fn keep(mut self) -> io::Result<()> {
        let (from, to) = (&self.below, &self.layout);
        fs::rename(from.log(), to.log()).map_err(naming("renaming", &from.log()))?;
        sync_directory(to.root())?;
        fs::rename(from.anchor(), to.anchor()).map_err(naming("renaming", &from.anchor()))?;
        self.is_kept = true;
        fs::remove_dir_all(from.root()).map_err(naming("removing", from.root()))?;
        sync_directory(to.root())
    }
}

impl Drop for NewDirectory {
    /// Nothing is left of a restore that failed, as far as that can be.
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(self.below.root());
            let _ = fs::remove_file(self.layout.lock());
            if !self.was_there {
                let _ = fs::remove_dir(self.layout.root());
            }
        }
    }
}

/// The log that is written while a replay passes its records.
struct Restored {
    log: EmbeddedLog,
    next: Option<Vec<u8>>,
    batch: Vec<EncodedRecord>,
    batch_bytes: usize,
    failed: Option<String>,
}

impl Restored {
    /// A batch is one sync of the disk, and is in memory: this much of either is bearable.
    const BATCH_BYTES: usize = 4 * 1024 * 1024;

    fn begin(place: &NewDirectory) -> Result<Self, Unable> {
        let log = EmbeddedLog::open(&place.below, Options::default(), &mut |_| Ok(()))?.log;
        Ok(Self { log, next: None, batch: Vec::new(), batch_bytes: 0, failed: None })
    }

    /// Looks at one place of the log. A record is written once it is known to be legal, at the place behind it.
    fn look(&mut self, step: &Step<'_>) {
        let next = step.next.map(|_| step.bytes.to_vec());
        let Some(bytes) = std::mem::replace(&mut self.next, next) else { return };
        if self.failed.is_some() || step.state.is_none() {
            return;
        }
        self.batch_bytes += bytes.len();
        self.batch.push(EncodedRecord::stored(step.head, bytes));
        if self.batch_bytes >= Self::BATCH_BYTES {
            self.write();
        }
    }

    fn write(&mut self) {
        let head: Head = self.log.head();
        if let Err(error) = self.log.append(&head, &self.batch) {
            self.failed = Some(error.to_string());
        }
        self.batch.clear();
        self.batch_bytes = 0;
    }

    /// Ends the log, which then is durable up to `head`.
    fn finish(mut self, head: Head) -> Result<(), Unable> {
        if self.failed.is_none() && !self.batch.is_empty() {
            self.write();
        }
        match self.failed {
            Some(why) => Err(Unable(why)),
            None if self.log.head() != head => Err(Unable("the restored log differs from the export".to_owned())),
            None => Ok(()),
        }
    }
}
