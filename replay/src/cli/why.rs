//! `why`: why a tag is protected, or its name spent.

use std::io::{self, Write};

use clap::Args;
use tagstone_replay::audit::{Deed, Found};
use tagstone_replay::fold::{Reason, WhyReason};
use tagstone_replay::question::{Protected, ProtectedBy, Reasons, TagSubject, WhyAnswer};
use tagstone_replay::source::{Point, StateAt};

use super::asking::{ask, at_point, unknown};
use super::invocation::Invocation;
use super::output::{self, Format};
use super::{Finding, Unable, clock, wording};

/// Tell why a tag is protected, or its name spent, and the events that made it so.
///
/// It is answered as the registry answers, at the time of the point: the clock of a log is that of its records. Also for
/// tags that are gone, be it with their repository, and for names that nobody has pushed yet. Where there is no such
/// repository, and never was such a tag in it, it is an error of usage (exit code 2).
#[derive(Debug, Args)]
pub(super) struct ShowWhy {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The tag, as in acme/app:v1.
    #[arg(value_name = "REPOSITORY:TAG")]
    subject: TagSubject,
    /// Behind this record (a seq), or at this instant (RFC 3339).
    #[arg(long, value_name = "POINT")]
    at: Option<Point>,
}

impl ShowWhy {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let at = self.at.map(|at| StateAt::new(at, clock::now()));
        let mut reasons = Reasons::of(self.subject.clone(), at);
        let (replayed, finding) = ask(asked, &self.source, &mut reasons)?;
        let Some((head, answer)) = at_point(reasons.answer(&replayed), finding)? else { return Ok(finding) };
        let Some(answer) = answer else {
            let TagSubject { repository, .. } = &self.subject;
            let what = format!(
                "there is no repository {repository}, and there never was a tag {}, behind record {}",
                self.subject, head.seq
            );
            return unknown(&what, &replayed.head, finding);
        };
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &answer),
            Format::Ndjson => output::json_line(out, &answer),
            Format::Text => text(out, &self.subject, &answer),
        })?;
        Ok(finding)
    }
}

fn text(out: &mut dyn Write, subject: &TagSubject, answer: &WhyAnswer) -> io::Result<()> {
    let why = &answer.why;
    match &why.digest {
        Some(digest) => writeln!(out, "{subject} points at {digest} behind record {}.", answer.head.seq)?,
        None => writeln!(out, "There is no tag {subject} behind record {}.", answer.head.seq)?,
    }
    match (why.protected, &why.digest) {
        (true, Some(_)) => writeln!(out, "It is protected: it can neither be moved nor deleted.")?,
        (true, None) => writeln!(out, "It would be protected as soon as it is pushed.")?,
        (false, Some(_)) => writeln!(out, "Nothing protects it.")?,
        (false, None) => writeln!(out, "Nothing would protect it.")?,
    }
    if let Some(only) = &why.only_digest {
        writeln!(out, "The name is spent: it can only come back as {only}.")?;
    }
    if !why.reasons.is_empty() {
        writeln!(out, "\nbecause")?;
        why.reasons.iter().try_for_each(|reason| writeln!(out, "  - {}", said(reason)))?;
    }
    if !answer.was_protected_by.is_empty() {
        writeln!(out, "\nwhat protected it at that digest")?;
        answer.was_protected_by.iter().try_for_each(|protected| write_protection(out, "  ", protected))?;
    }
    if !answer.events.is_empty() {
        writeln!(out, "\nthe events that made it so\n{}", wording::heading())?;
        for event in answer.events.iter().filter_map(Found::event) {
            writeln!(out, "{}", wording::row(&Deed::of(&event), &wording::sentence(&event)))?;
        }
    }
    Ok(())
}

fn said(reason: &WhyReason) -> String {
    match reason {
        WhyReason::Protected(Reason::Policy { policy, scope, pattern, since }) => format!(
            "policy {policy} protects {} {}, since {} (record {})",
            wording::pattern(pattern),
            wording::scope(scope),
            since.time,
            since.seq
        ),
        WhyReason::Protected(Reason::Lock { since }) => {
            format!("it was locked by hand at {} (record {})", since.time, since.seq)
        }
        WhyReason::Spent { since, seq: Some(seq) } => {
            format!("it was protected, and was removed at {since} (record {seq})")
        }
        WhyReason::Spent { since, seq: None } => {
            format!("it was protected, and expired at {since}; the record that says so is not written yet")
        }
    }
}

/// A protection with its begin and its end, on lines of their own.
pub(super) fn write_protection(out: &mut dyn Write, indent: &str, protected: &Protected) -> io::Result<()> {
    match &protected.by {
        ProtectedBy::Policy { policy, scope, pattern } => {
            let (tags, place) = (wording::pattern(pattern), wording::scope(scope));
            writeln!(out, "{indent}protected by policy {policy}: {tags} {place}")?;
        }
        ProtectedBy::Lock => writeln!(out, "{indent}protected by a lock by hand")?,
    }
    writeln!(out, "{indent}  from  {}", wording::by(&protected.since))?;
    match &protected.until {
        Some(until) => writeln!(out, "{indent}  to    {}: {}", wording::by(&until.deed), until.event),
        None => writeln!(out, "{indent}  still when the tag was removed"),
    }
}
