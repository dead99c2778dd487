//! `where`: every tag that ever pointed at a digest, and every repository that ever held it.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use tagstone_replay::question::{Held, HeldAs, Removed, Stay, Whereabouts};
use tagstone_schema::Digest;

use super::asking::ask;
use super::invocation::Invocation;
use super::output::{self, Format, table};
use super::{Finding, Unable, wording};

/// Find a digest: every tag that ever pointed at it, from when to when, every repository that ever held it, and when its
/// bytes were removed.
///
/// That nothing ever pointed at it is an answer too: the lists are empty then, and the exit code is 0.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The digest, as in sha256:…
    digest: Digest,
}

/// A line of JSON for each thing; its `kind` tells what it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Tag(&'a Stay),
    Held(&'a Held),
    Removed(&'a Removed),
}

impl Where {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let mut found = Whereabouts::of(self.digest.clone());
        let (_, finding) = ask(asked, &self.source, &mut found)?;
        output::write(|out| match asked.format {
            Format::Json => output::json(out, &found),
            Format::Ndjson => {
                let tags = found.tags.iter().map(Line::Tag);
                let held = found.held.iter().map(Line::Held);
                let removed = found.removed.iter().map(Line::Removed);
                tags.chain(held).chain(removed).try_for_each(|line| output::json_line(out, &line))
            }
            Format::Text => text(out, &found),
        })?;
        Ok(finding)
    }
}

fn text(out: &mut dyn Write, found: &Whereabouts) -> io::Result<()> {
    writeln!(out, "digest  {}", found.digest)?;
    if found.tags.is_empty() && found.held.is_empty() && found.removed.is_empty() {
        return writeln!(out, "\nNo tag ever pointed at it, and no repository ever held it.");
    }
    if !found.tags.is_empty() {
        let mut tags = table(&["tag", "since", "until", "what became of it"]);
        for Stay { repository, tag, since, until } in &found.tags {
            let (end, what) = match until {
                None => ("still".to_owned(), "-".to_owned()),
                Some(turn) => (wording::by(&turn.deed), wording::turn(turn)),
            };
            tags.add_row([format!("{repository}:{tag}"), wording::by(&since.deed), end, what]);
        }
        writeln!(out, "\ntags that pointed at it\n{tags}")?;
    }
    if !found.held.is_empty() {
        let mut held = table(&["repository", "as", "since", "until"]);
        for Held { repository, held_as, since, until } in &found.held {
            let held_as = match held_as {
                HeldAs::Blob => "blob",
                HeldAs::Manifest => "manifest",
            };
            let until = until.as_ref().map_or_else(|| "still".to_owned(), wording::by);
            held.add_row([repository.to_string(), held_as.to_owned(), wording::by(since), until]);
        }
        writeln!(out, "\nrepositories that held it\n{held}")?;
    }
    if !found.removed.is_empty() {
        let mut removed = table(&["event", "when", "reason"]);
        for Removed { deed, event, reason } in &found.removed {
            let reason = reason.as_deref().map_or_else(|| "-".to_owned(), wording::printable);
            removed.add_row([(*event).to_owned(), wording::by(deed), reason]);
        }
        writeln!(out, "\nremovals of its bytes\n{removed}")?;
    }
    Ok(())
}
