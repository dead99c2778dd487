//! `export`: a log, or a part of it, as one portable file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tagstone_replay::export::{Header, Trailer, Writer};
use tagstone_replay::log::directory::sync_directory;
use tagstone_replay::source::{OpenSource, Problem, Source, Step, replay};
use tagstone_schema::{Event, Head, Id, Seq};
use tempfile::NamedTempFile;

use super::invocation::Invocation;
use super::output::{self, Format};
use super::progress::Progress;
use super::state::said_problems;
use super::verify::HeadView;
use super::{Finding, Unable};

/// Write a log, or a part of it, into one portable file.
///
/// The whole source is verified on the way, whatever part is written. If something is wrong with it, there is no file, and
/// the exit code is 1: with --sound-part the file holds what is sound, and the exit code is still 1. A file that is there is
/// never overwritten.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The file to be written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The first record to be written; without it, the first of the source. A log can be restored only from record 1 on.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    from_seq: Option<Seq>,
    /// The last record to be written; without it, the last of the source.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    to_seq: Option<Seq>,
    /// Write what is sound of a source that is damaged: the records before the first bad one.
    #[arg(long)]
    sound_part: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Absent where nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    records: u64,
    /// The record before the first one; absent where that is record 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<HeadView>,
    head: HeadView,
    bytes: u64,
    problems: &'a [Problem],
}

impl Export {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        if self.out.symlink_metadata().is_ok() {
            return Err(Unable(format!("{} exists already, and is not overwritten", self.out.display())));
        }
        if self.from_seq.zip(self.to_seq).is_some_and(|(from, to)| from > to) {
            return Err(Unable("--from-seq lies behind --to-seq".to_owned()));
        }
        let source = asked.open_any(&self.source)?;
        let mut part = self.part(&source)?;
        let mut progress = Progress::over("records");
        let replayed = replay(&source, &mut |step| {
            progress.step();
            part.look(&step);
        });
        drop(progress);
        let mut replayed = replayed?;
        replayed.problems.sort_by_key(|problem| problem.seq);
        let finding = said_problems(&replayed);
        let written = part.finish().map_err(|error| self.failed(&error))?;
        let Written { file, trailer, before } = self.reached(written, replayed.head)?;
        let is_kept = finding == Finding::Holds || self.sound_part;
        let bytes = file.as_file().metadata()?.len();
        if is_kept {
            self.keep(file).map_err(|error| self.failed(&error))?;
        } else {
            eprintln!(
                "tagstone-replay: nothing was written. The source is sound up to record {}; --sound-part writes that much",
                replayed.head.seq
            );
        }
        let report = Report {
            file: is_kept.then_some(&*self.out),
            records: trailer.count,
            continues: (before.seq > 0).then(|| (&before).into()),
            head: (&trailer.head).into(),
            bytes,
            problems: &replayed.problems,
        };
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &report),
            Format::Ndjson => output::json_line(out, &report),
            Format::Text if is_kept => text(out, &report),
            Format::Text => Ok(()),
        })?;
        output::leave(replayed.state);
        Ok(finding)
    }

    /// The file lies beside the one that it becomes, so that it appears there whole or not at all.
    fn part(&self, source: &OpenSource) -> Result<Part, Unable> {
        let begin = source.begins_behind();
        let first = self.from_seq.unwrap_or(begin.seq + 1);
        if first <= begin.seq {
            return Err(Unable(format!("the source begins behind record {}", begin.seq)));
        }
        let file = tempfile::Builder::new()
            .prefix(".tagstone-export-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(directory_of(&self.out))
            .map_err(|error| self.failed(&error))?;
        let log = match source {
            OpenSource::Export(export) => export.log(),
            OpenSource::Directory(_) | OpenSource::Registry(_) => None,
        };
        let last = self.to_seq.unwrap_or(Seq::MAX);
        Ok(Part { first, last, is_judged: begin.seq == 0, log, writing: Writing::Waiting(file) })
    }

    /// Refuses to write less than was asked for, where the source is too short.
    fn reached(&self, written: Option<Written>, head: Head) -> Result<Written, Unable> {
        let behind = |seq| Unable(format!("record {seq} lies behind the last sound one, which is {}", head.seq));
        match (written, self.from_seq, self.to_seq) {
            (_, _, Some(to)) if to > head.seq => Err(behind(to)),
            (Some(written), Some(from), _) if written.trailer.count == 0 => Err(behind(from)),
            (Some(written), _, _) => Ok(written),
            (None, from, _) => Err(behind(from.unwrap_or(1))),
        }
    }

    /// Durable before it has its name; refused if somebody else has made the file meanwhile.
    fn keep(&self, file: NamedTempFile) -> io::Result<()> {
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.out).map_err(|error| error.error)?;
        sync_directory(directory_of(&self.out))
    }

    fn failed(&self, error: &io::Error) -> Unable {
        Unable(format!("{} cannot be written: {error}", self.out.display()))
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn text(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "records      {}", report.records)?;
    if let Some(before) = &report.continues {
        writeln!(out, "continues    {before}")?;
    }
    writeln!(out, "head         {}", report.head)?;
    writeln!(out, "bytes        {}", report.bytes)
}

/// The records that are written, while a replay passes them.
struct Part {
    first: Seq,
    last: Seq,
    /// Whether the source begins with record 1, so that an illegal event shows.
    is_judged: bool,
    log: Option<Id>,
    writing: Writing,
}

enum Writing {
    /// The first record has not come yet.
    Waiting(NamedTempFile),
    /// `next` is the record that follows the last written one; its hash is not known before the place behind it.
    Begun {
        before: Head,
        next: Option<Vec<u8>>,
        writer: Box<Writer<BufWriter<NamedTempFile>>>,
    },
    Failed(io::Error),
}

/// What was written, under a temporary name.
struct Written {
    file: NamedTempFile,
    trailer: Trailer,
    before: Head,
}

impl Part {
    /// Looks at one place of the log. All are to be shown, in order.
    fn look(&mut self, step: &Step<'_>) {
        if self.log.is_none()
            && let Some(record) = step.next
        {
            self.log = record.events.iter().find_map(|event| match event {
                Event::LogStarted { log } => Some(*log),
                _ => None,
            });
        }
        let waiting = Writing::Failed(io::Error::other("writing ended in a panic"));
        let writing = std::mem::replace(&mut self.writing, waiting);
        self.writing = self.written(writing, step).unwrap_or_else(Writing::Failed);
    }

    fn written(&self, writing: Writing, step: &Step<'_>) -> io::Result<Writing> {
        let seq = step.head.seq.saturating_add(1);
        let is_believed = !self.is_judged || step.state.is_some();
        let (before, writer) = match writing {
            Writing::Waiting(file) if seq == self.first => {
                let header = Header { log: self.log, before: step.head };
                (step.head, Box::new(Writer::new(BufWriter::with_capacity(1 << 20, file), &header)?))
            }
            Writing::Begun { before, next, mut writer } => {
                // The record that waits may be illegal, or one before it.
                next.filter(|_| is_believed).map_or(Ok(()), |bytes| writer.push(step.head, &bytes))?;
                (before, writer)
            }
            still => return Ok(still),
        };
        let next = (step.next.is_some() && seq <= self.last).then(|| step.bytes.to_vec());
        Ok(Writing::Begun { before, next, writer })
    }

    /// Ends the export; none if the source ends before its first record.
    fn finish(self) -> io::Result<Option<Written>> {
        let (before, writer) = match self.writing {
            Writing::Failed(error) => return Err(error),
            Writing::Waiting(_) => return Ok(None),
            Writing::Begun { before, writer, .. } => (before, writer),
        };
        let (file, trailer) = writer.finish()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Some(Written { file, trailer, before }))
    }
}
