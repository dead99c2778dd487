//! `history`: every turn in the life of a tag, or of all tags of a repository.

use std::io;

use clap::Args;
use tagstone_replay::audit::{TagTurn, Unfolded};
use tagstone_replay::fold::State;
use tagstone_replay::question::Subject;
use tagstone_replay::source::Witness;

use super::asking::{ask, unknown};
use super::invocation::Invocation;
use super::listing::Listing;
use super::{Finding, Unable, wording};

/// Tell the history of a tag, or of all tags of a repository: every move and every end, with time, actor, from and to.
///
/// The oldest comes first. The history of what is gone is told too; a repository or a tag that never existed in the log is
/// an error of usage (exit code 2).
#[derive(Debug, Args)]
pub(super) struct History {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    /// The repository, or one tag of it, as in acme/app:v1.
    #[arg(value_name = "REPOSITORY[:TAG]")]
    subject: Subject,
}

impl History {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let listing = Listing::of(&self.source, asked.format, "history", wording::heading())?;
        let mut teller = Teller { subject: self.subject.clone(), listing, known: Existence::Unknown, failed: Ok(()) };
        let (replayed, finding) = ask(asked, &self.source, &mut teller)?;
        teller.failed?;
        if let Existence::Unknown = teller.known {
            let what = match self.subject.tag {
                Some(_) => "tag",
                None => "repository",
            };
            return unknown(&format!("there never was a {what} {}", self.subject), &replayed.head, finding);
        }
        teller.listing.end()?;
        Ok(finding)
    }
}

/// Whether there ever was what was asked for.
enum Existence {
    Unknown,
    Known,
}

/// Tells turns as they happen.
struct Teller {
    subject: Subject,
    listing: Listing,
    known: Existence,
    failed: io::Result<()>,
}

impl Witness for Teller {
    fn learns(&mut self, record: &Unfolded, _state: &State) {
        for event in record.events() {
            if self.subject.shown_by(&event) {
                self.known = Existence::Known;
            }
            if !self.subject.turned_by(&event) || self.failed.is_err() {
                continue;
            }
            let Some(turn) = TagTurn::of(&event) else { continue };
            let text =
                || wording::row(&turn.deed, &format!("{}:{} {}", turn.repository, turn.tag, wording::turn(&turn)));
            match self.listing.entry(&turn, text) {
                Ok(entry) => self.listing.write(&entry),
                Err(error) => self.failed = Err(error),
            }
        }
    }
}
