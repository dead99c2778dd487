//! `diff`: what changed between two points of a log.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use tagstone_replay::question::{
    BlobChange, Difference, ManifestChange, PolicyChange, RepositoryChange, SpentChange, TagChange, TokenChange,
};
use tagstone_replay::source::{Point, StateAt, Step, Witness};
use tagstone_schema::Head;

use super::asking::{ask, at_point};
use super::invocation::Invocation;
use super::output::{self, Format};
use super::{Finding, Unable, clock, diff_text};

/// Show what changed between two points: repositories, tags, manifests, blobs, policies, tokens, spent names.
///
/// Exit code 1 if anything did. Two states are compared: what happened and was undone in between is no difference.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The earlier point: behind this record (a seq), or at this instant (RFC 3339).
    #[arg(long, value_name = "POINT")]
    from: Point,
    /// The later point.
    #[arg(long, value_name = "POINT")]
    to: Point,
}

/// The two points, and what differs.
#[derive(Serialize)]
pub(super) struct DiffView<'a> {
    pub(super) from: PointView,
    pub(super) to: PointView,
    pub(super) changed: bool,
    #[serde(flatten)]
    pub(super) difference: &'a Difference<'a>,
}

/// A point that was found.
#[derive(Serialize)]
pub(super) struct PointView {
    pub(super) seq: u64,
    hash: String,
    pub(super) time: String,
}

/// A line of JSON for each change; its `kind` tells what changed.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Diff { from: &'a PointView, to: &'a PointView, changed: bool },
    Repository(&'a RepositoryChange<'a>),
    Tag(&'a TagChange<'a>),
    Manifest(&'a ManifestChange<'a>),
    Blob(&'a BlobChange<'a>),
    Policy(&'a PolicyChange<'a>),
    Token(&'a TokenChange<'a>),
    Spent(&'a SpentChange<'a>),
}

impl From<Head> for PointView {
    fn from(head: Head) -> Self {
        Self { seq: head.seq, hash: head.hash.to_string(), time: head.time.to_string() }
    }
}

/// Keeps the states at both points: a clone of a state costs a few pointers.
struct Both {
    from: StateAt,
    to: StateAt,
}

impl Witness for Both {
    fn passes(&mut self, step: &Step<'_>) {
        self.from.look(step);
        self.to.look(step);
    }
}

impl Diff {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let now = clock::now();
        let mut both = Both { from: StateAt::new(self.from, now), to: StateAt::new(self.to, now) };
        let (replayed, finding) = ask(asked, &self.source, &mut both)?;
        let Some((from, before)) = at_point(both.from.found(&replayed), finding)? else { return Ok(finding) };
        let Some((to, after)) = at_point(both.to.found(&replayed), finding)? else { return Ok(finding) };
        if from.seq > to.seq {
            let order = format!("--from is record {} and --to is record {}", from.seq, to.seq);
            return Err(Unable(format!("{order}: --from has to be the earlier point; exchange them")));
        }
        let difference = Difference::between(&before, &after);
        let changed = difference.count() > 0;
        let view = DiffView { from: from.into(), to: to.into(), changed, difference: &difference };
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &view),
            Format::Ndjson => lines(out, &view),
            Format::Text => diff_text::write(out, &view),
        })?;
        Ok(if changed { Finding::Violated } else { finding })
    }
}

fn lines(out: &mut dyn Write, view: &DiffView<'_>) -> io::Result<()> {
    let Difference { repositories, tags, manifests, blobs, policies, tokens, spent } = view.difference;
    std::iter::once(Line::Diff { from: &view.from, to: &view.to, changed: view.changed })
        .chain(repositories.iter().map(Line::Repository))
        .chain(tags.iter().map(Line::Tag))
        .chain(manifests.iter().map(Line::Manifest))
        .chain(blobs.iter().map(Line::Blob))
        .chain(policies.iter().map(Line::Policy))
        .chain(tokens.iter().map(Line::Token))
        .chain(spent.iter().map(Line::Spent))
        .try_for_each(|line| output::json_line(out, &line))
}
