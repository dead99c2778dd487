//! `verify`: whether a log is whole, unbroken and legal, and whether the bytes that it promises are there.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use tagstone_replay::content::ContentReader;
use tagstone_replay::fold::Fingerprint;
use tagstone_replay::source::{
    Concerns, KeptState, Linked, OpenSource, Problem, Replay, Unread, check_contents, replay,
};
use tagstone_schema::{Head, Position, Seq};

use super::invocation::Invocation;
use super::output::{self, Format};
use super::progress::Progress;
use super::{Finding, Unable};

/// Verify that a log is whole: continuity, hash chain, anchor, and the legality of every event.
///
/// The snapshot of the state that a data directory may have is compared with what its records come to.
///
/// A record behind the anchor that is not whole is no problem, but a note on stderr: it was never acknowledged, and a
/// start of the registry cuts it off. Of an export that does not begin with record 1 the chain is verified; whether its
/// events were legal cannot be told, and its report has no fingerprint.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// Also read every live blob and manifest, and compare its size and digest. Only a data directory has them.
    #[arg(long)]
    blobs: bool,
    /// The log must hold exactly this record hash at this seq: a head noted earlier, or by somebody else.
    #[arg(long, value_name = "SEQ:HASH")]
    expect: Option<Position>,
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    records: u64,
    events: u64,
    head: HeadView,
    /// Always there; null of a part of a log, which has no state.
    fingerprint: Option<Fingerprint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<HeadView>,
    problems: &'a [Problem],
}

/// A head as reports show it.
#[derive(Serialize)]
pub(super) struct HeadView {
    seq: Seq,
    hash: String,
}

impl From<&Head> for HeadView {
    fn from(head: &Head) -> Self {
        Self { seq: head.seq, hash: head.hash.to_string() }
    }
}

impl std::fmt::Display for HeadView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl Verify {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let source = asked.open_any(&self.source)?;
        let contents = if self.blobs { Some(contents_of(&source)?) } else { None };
        let Seen { mut replayed, linked, fingerprint } = self.replay(&source)?;
        if let Some(contents) = contents {
            replayed.problems.extend(content_problems(&contents, &replayed, &linked)?);
        }
        // A stable sort: the first problem is the first bad seq.
        replayed.problems.sort_by_key(|problem| problem.seq);
        let report = Report {
            ok: replayed.problems.is_empty(),
            records: replayed.records,
            events: replayed.events,
            head: (&replayed.head).into(),
            fingerprint: (replayed.continues.is_none())
                .then(|| fingerprint.unwrap_or_else(|| replayed.state.fingerprint())),
            continues: replayed.continues.as_ref().map(HeadView::from),
            problems: &replayed.problems,
        };
        for note in &replayed.notes {
            eprintln!("note: {note}");
        }
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &report),
            Format::Ndjson => output::json_line(out, &report),
            Format::Text => text(out, &report),
        })?;
        let finding = if report.ok { Finding::Holds } else { Finding::Violated };
        output::leave(replayed.state);
        Ok(finding)
    }

    /// Replays the source, with what the options need to know on the way.
    fn replay(&self, source: &OpenSource) -> Result<Seen, Unread> {
        let (mut kept, unread) = match source.layout().map(KeptState::read).transpose() {
            Ok(kept) => (kept.flatten(), None),
            Err(error) => (None, Some(format!("{error}; a start ignores it"))),
        };
        let mut progress = Progress::over("records");
        let mut linked = Linked::default();
        let mut expected = self.expect.map(|position| (position, "the log does not reach to it".to_owned(), false));
        let mut replayed = replay(source, &mut |step| {
            progress.step();
            if let Some(kept) = &mut kept {
                kept.look(&step);
            }
            if let (true, Some(record)) = (self.blobs, step.next) {
                linked.look(record);
            }
            if let Some((position, found, holds)) = &mut expected
                && position.seq == step.head.seq
            {
                *found = format!("it has the hash {}", step.head.hash);
                *holds = position.hash == step.head.hash;
            }
        })?;
        replayed.notes.extend(unread);
        // The state may be another one where an event was illegal.
        let fingerprint = kept.as_ref().and_then(KeptState::fingerprint).filter(|_| !replayed.is_damaged());
        replayed.problems.extend(kept.and_then(|kept| kept.problem()));
        if let Some((Position { seq, hash }, mut found, false)) = expected {
            if replayed.chain_head.seq < seq && replayed.is_damaged() {
                found = "nothing sound stands there".to_owned();
            }
            let what = format!("record {seq} was expected to have the hash {hash}, but {found}");
            replayed.problems.push(Problem::of_log(seq, what));
        }
        Ok(Seen { replayed, linked, fingerprint })
    }
}

/// What was learnt of a source.
struct Seen {
    replayed: Replay,
    linked: Linked,
    /// The fingerprint of its last state, if it was told on the way.
    fingerprint: Option<Fingerprint>,
}

/// The bytes of a source, which not every source has.
fn contents_of(source: &OpenSource) -> Result<ContentReader, Unable> {
    let layout = source.layout().ok_or_else(|| {
        Unable(
            "--blobs needs a data directory: neither an export nor a running registry hands out all bytes".to_owned(),
        )
    })?;
    Ok(ContentReader::open(layout)?)
}

/// What is wrong with the bytes that a log promises. That they may not be read says nothing about them.
fn content_problems(contents: &ContentReader, replayed: &Replay, linked: &Linked) -> Result<Vec<Problem>, Unable> {
    let mut progress = Progress::over("blobs and manifests");
    let mut denied = None;
    let problems = check_contents(&replayed.state, linked, |digest, size| {
        progress.step();
        let checked = contents.check(digest, size);
        checked.map_err(|problem| {
            if problem.is_denied() && denied.is_none() {
                denied = Some(problem.to_string());
            }
            problem.to_string()
        })
    });
    drop(progress);
    denied.map_or(Ok(problems), |why| Err(Unable(why)))
}

fn text(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "records      {}", report.records)?;
    writeln!(out, "events       {}", report.events)?;
    writeln!(out, "head         {}", report.head)?;
    match (&report.fingerprint, &report.continues) {
        (Some(fingerprint), _) => writeln!(out, "fingerprint  {fingerprint}")?,
        (None, Some(before)) => writeln!(out, "continues    {before}")?,
        (None, None) => {}
    }
    writeln!(out)?;
    if !report.problems.is_empty() {
        let mut table = output::table(&["seq", "what is wrong"]);
        for problem in report.problems {
            table.add_row([problem.seq.to_string(), problem.what.clone()]);
        }
        writeln!(out, "{table}\n")?;
    }
    verdict(out, report)
}

/// The last lines. Bytes that are missing, or a snapshot that is wrong, must not read as if somebody had altered history.
fn verdict(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let of = |concerned| report.problems.iter().filter(move |problem| problem.concerns == concerned);
    match of(Concerns::Log).next() {
        Some(first) => writeln!(out, "The log does not hold. The first bad record is {}.", first.seq)?,
        None if report.continues.is_some() => {
            writeln!(out, "The chain of this part of a log is unbroken. The legality of its events cannot be judged.")?;
        }
        None => writeln!(out, "The log is whole, its chain is unbroken, and every event in it is legal.")?,
    }
    if of(Concerns::Snapshot).next().is_some() {
        writeln!(out, "The snapshot beside it is not what its records come to.")?;
    }
    match of(Concerns::Content).count() {
        0 => Ok(()),
        1 => writeln!(out, "1 blob or manifest is missing or damaged."),
        many => writeln!(out, "{many} blobs or manifests are missing or damaged."),
    }
}
