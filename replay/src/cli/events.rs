//! `events`: what happened, filtered.

use std::io;
use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use tagstone_replay::audit::{AuditEvent, Deed, EventForm, Filter, Unfolded};
use tagstone_replay::fold::State;
use tagstone_replay::source::Witness;

use super::asking::ask;
use super::invocation::Invocation;
use super::listing::{Entry, Listing, Reversed};
use super::{Finding, Unable, wording};

/// List what happened: the events of the log, as many filters as wanted. Every tag's end is an event of its own, written or
/// derived.
///
/// The whole log is verified. Oldest first, events are written as they are found; newest first, all that is found waits in
/// a temporary file until the log was read, or the last N in memory.
#[derive(Debug, Args)]
pub(super) struct Events {
    /// The data directory of a stopped registry, an exported file, or the URL of a running registry.
    source: String,
    #[command(flatten)]
    filters: Filters,
    /// Newest or oldest first.
    #[arg(long, value_enum, default_value_t = OrderName::Desc)]
    order: OrderName,
    /// At most so many: with `desc` the newest ones, with `asc` the oldest ones.
    #[arg(long, value_name = "N")]
    n: Option<NonZeroUsize>,
}

/// The filters of `/api/v1/events`.
#[derive(Debug, Args)]
struct Filters {
    /// In this repository.
    #[arg(long)]
    repository: Option<String>,
    /// In repositories below this namespace, and on its policies.
    #[arg(long)]
    namespace: Option<String>,
    /// On tags of this name.
    #[arg(long)]
    tag: Option<String>,
    /// About this digest: pushed or removed, or where a tag points or pointed.
    #[arg(long)]
    digest: Option<String>,
    /// By this actor: a name, or kind and name, as in `system:prune`.
    #[arg(long)]
    actor: Option<String>,
    /// Of this kind, such as `tag_moved`.
    #[arg(long)]
    kind: Option<String>,
    /// Ends of tags for this cause, such as `prune`.
    #[arg(long)]
    cause: Option<String>,
    /// At this instant or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this instant (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// In this record or a later one.
    #[arg(long, alias = "from_seq", value_name = "SEQ")]
    from_seq: Option<String>,
    /// In this record or an earlier one.
    #[arg(long, alias = "to_seq", value_name = "SEQ")]
    to_seq: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OrderName {
    /// The oldest first.
    Asc,
    /// The newest first.
    Desc,
}

impl Filters {
    fn parsed(&self) -> Result<Filter, Unable> {
        let given = [
            ("repository", &self.repository),
            ("namespace", &self.namespace),
            ("tag", &self.tag),
            ("digest", &self.digest),
            ("actor", &self.actor),
            ("kind", &self.kind),
            ("cause", &self.cause),
            ("since", &self.since),
            ("until", &self.until),
            ("from_seq", &self.from_seq),
            ("to_seq", &self.to_seq),
        ];
        let mut filter = Filter::default();
        for (name, value) in given {
            if let Some(value) = value {
                filter.add(name, value)?;
            }
        }
        filter.check()?;
        Ok(filter)
    }
}

impl Events {
    pub(super) fn run(&self, asked: &Invocation) -> Result<Finding, Unable> {
        let filter = self.filters.parsed()?;
        let listing = Listing::of(&self.source, asked.format, "events", wording::heading())?;
        let most = self.n.map(NonZeroUsize::get);
        let order = match (self.order, most) {
            (OrderName::Asc, most) => Direction::Forward { left: most },
            (OrderName::Desc, Some(most)) => Direction::Backward(Reversed::last(most)),
            (OrderName::Desc, None) => Direction::Backward(Reversed::all()?),
        };
        let mut finder = Finder { filter, listing, order, failed: Ok(()) };
        let (_, finding) = ask(asked, &self.source, &mut finder)?;
        let Finder { mut listing, order, failed, .. } = finder;
        failed?;
        if let Direction::Backward(reversed) = order {
            reversed.told(|entry| listing.write(entry))?;
        }
        listing.end()?;
        Ok(finding)
    }
}

/// Finds the events that a filter selects.
struct Finder {
    filter: Filter,
    listing: Listing,
    order: Direction,
    failed: io::Result<()>,
}

/// How what is found is passed on.
enum Direction {
    Forward { left: Option<usize> },
    Backward(Reversed),
}

impl Finder {
    fn found(&mut self, event: &AuditEvent<'_>) -> io::Result<()> {
        if let Direction::Forward { left: Some(0) } = self.order {
            return Ok(());
        }
        let entry = entry(&self.listing, event)?;
        match &mut self.order {
            Direction::Forward { left } => {
                self.listing.write(&entry);
                *left = left.map(|left| left - 1);
                Ok(())
            }
            Direction::Backward(reversed) => reversed.push(entry),
        }
    }
}

fn entry(listing: &Listing, event: &AuditEvent<'_>) -> io::Result<Entry> {
    listing.entry(&EventForm::from(event), || wording::row(&Deed::of(event), &wording::sentence(event)))
}

impl Witness for Finder {
    fn learns(&mut self, record: &Unfolded, _state: &State) {
        for event in record.events() {
            if self.failed.is_ok() && self.filter.selects(&event) {
                self.failed = self.found(&event);
            }
        }
    }
}
