//! `audit`: the page that an investigator hands in.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use tagstone_replay::audit::{EventForm, Found};
use tagstone_replay::fold::Fingerprint;
use tagstone_replay::question::{ActorSummary, Bounds, BrokenSeal, Outcome, RefusedGroup, Report, Reporter, SpentName};
use tagstone_replay::source::{Problem, Replay};
use tagstone_schema::Timestamp;

use super::asking::ask;
use super::invocation::Invocation;
use super::output::{self, Format};
use super::verify::HeadView;
use super::{Finding, Unable, audit_text};

/// Report what an investigator hands in: seals broken, spent names, erasures, purges, policy changes, refused attempts, access
/// tokens, starts of servers, and who did how much.
///
/// A seal is broken when a tag leaves a digest at which it was protected, after its policy was retired or changed or its
/// lock was lifted. An erasure breaks none: it is listed as what it is. Exit code 1 if a seal was broken.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// Only what happened at this instant or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only what happened before this instant (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// The report, with the log that it is about.
#[derive(Serialize)]
pub(super) struct AuditView<'a> {
    #[serde(flatten)]
    pub(super) log: LogView,
    pub(super) problems: &'a [Problem],
    #[serde(flatten)]
    pub(super) report: &'a Report,
}

/// What a report is about.
#[derive(Serialize)]
pub(super) struct LogView {
    /// Whether the log is whole and legal, and no seal was broken.
    ok: bool,
    pub(super) head: HeadView,
    pub(super) time: String,
    pub(super) fingerprint: Fingerprint,
    pub(super) records: u64,
    pub(super) events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
}

/// A line of JSON for what the report is about, then one for each entry of each list; `section` names the list.
#[derive(Serialize)]
#[serde(tag = "section", rename_all = "snake_case")]
enum Line<'a> {
    Audit {
        #[serde(flatten)]
        log: &'a LogView,
        refusals_beyond: u64,
        actors_beyond: u64,
    },
    Problems(&'a Problem),
    SealsBroken(&'a BrokenSeal),
    SpentNames(&'a SpentName),
    Erasures(EventForm<'a>),
    Purges(EventForm<'a>),
    PolicyChanges(EventForm<'a>),
    Refusals(&'a RefusedGroup),
    Tokens(EventForm<'a>),
    ServerStarts(EventForm<'a>),
    Actors(&'a ActorSummary),
}

impl Audit {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let bounds = Bounds { since: self.since, until: self.until };
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(Unable(format!("nothing can be found: --since {since} is not before --until {until}")));
        }
        let mut reporter = Reporter::within(bounds);
        let (replayed, finding) = ask(asked, &self.source, &mut reporter)?;
        let report = reporter.report(&replayed);
        let finding = match report.outcome() {
            Outcome::SealsKept => finding,
            Outcome::SealsBroken => Finding::Violated,
        };
        let view = self.view(&replayed, &report, finding);
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &view),
            Format::Ndjson => lines(out, &view),
            Format::Text => audit_text::write(out, &view),
        })?;
        Ok(finding)
    }

    fn view<'a>(&self, replayed: &'a Replay, report: &'a Report, finding: Finding) -> AuditView<'a> {
        let log = LogView {
            ok: finding == Finding::Holds,
            head: (&replayed.head).into(),
            time: replayed.head.time.to_string(),
            fingerprint: replayed.state.fingerprint(),
            records: replayed.records,
            events: replayed.events,
            since: self.since.map(|at| at.to_string()),
            until: self.until.map(|at| at.to_string()),
        };
        AuditView { log, problems: &replayed.problems, report }
    }
}

fn lines(out: &mut dyn Write, view: &AuditView<'_>) -> io::Result<()> {
    let AuditView { log, problems, report } = view;
    let (refusals_beyond, actors_beyond) = (report.refusals_beyond, report.actors_beyond);
    std::iter::once(Line::Audit { log, refusals_beyond, actors_beyond })
        .chain(problems.iter().map(Line::Problems))
        .chain(report.seals_broken.iter().map(Line::SealsBroken))
        .chain(report.spent_names.iter().map(Line::SpentNames))
        .try_for_each(|line| output::json_line(out, &line))?;
    events(out, &report.erasures, Line::Erasures)?;
    events(out, &report.purges, Line::Purges)?;
    events(out, &report.policy_changes, Line::PolicyChanges)?;
    report.refusals.iter().map(Line::Refusals).try_for_each(|line| output::json_line(out, &line))?;
    events(out, &report.tokens, Line::Tokens)?;
    events(out, &report.server_starts, Line::ServerStarts)?;
    report.actors.iter().map(Line::Actors).try_for_each(|line| output::json_line(out, &line))
}

fn events<'a>(out: &mut dyn Write, events: &'a [Found], line: impl Fn(EventForm<'a>) -> Line<'a>) -> io::Result<()> {
    let forms = events.iter().filter_map(Found::event).map(|event| EventForm::from(&event));
    forms.map(line).try_for_each(|line| output::json_line(out, &line))
}
