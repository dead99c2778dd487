//! The stays that a listing of tags shows.
//!
//! Pages are numbered as in Quay, so a page costs what it skips; [`MOST_LOOKED_AT`] bounds that. Tags that are live now are
//! listed from the state alone, which knows since when each points where it does.

use std::cmp::Reverse;

use tagstone_replay::audit::{Archive, ArchiveError, Found, Kind, Order, Place, Stay, Term, What};
use tagstone_replay::fold::{Live, TagState};
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Event, RepositoryName, Seq, Tag};

use super::tag_list_query::{Filter, ListQuery, MOST_LOOKED_AT};

/// The stays of a repository, as a state and the archive tell them.
pub(super) struct Stays<'a> {
    pub(super) archive: &'a Archive,
    pub(super) repository: &'a RepositoryName,
    /// The repository in the state, if it is there.
    pub(super) live: Option<&'a Live<'a>>,
    /// The record of the state; what the archive has behind it is not shown.
    pub(super) head: Seq,
}

/// A part of a list of stays.
pub(super) struct Listed<'a> {
    pub(super) stays: Vec<ListedStay<'a>>,
    /// Whether there is more behind them, as far as was looked.
    pub(super) has_more: bool,
    /// Whether the end was not reached because enough had been looked at.
    pub(super) is_cut_off: bool,
}

/// A stay with all that is shown of it.
pub(super) struct ListedStay<'a> {
    pub(super) stay: Stay,
    /// The tag as the state has it, while the stay lasts.
    pub(super) standing: Option<TagState<'a>>,
    pub(super) is_reversion: bool,
    pub(super) is_index: bool,
}

/// A stay as it is found: the whole of it is looked up only if it is shown.
enum FoundStay {
    Whole(Stay),
    Begun { tag: Tag, start: Place },
}

impl FoundStay {
    /// The stay that an event begins, if it is a move of a tag.
    fn begun_by(found: &Found) -> Option<Self> {
        match found.event()?.what {
            What::Written { event: Event::TagMoved { tag, .. }, .. } => {
                Some(Self::Begun { tag: tag.clone(), start: found.place() })
            }
            _ => None,
        }
    }

    fn tag(&self) -> &Tag {
        match self {
            Self::Whole(Stay { tag, .. }) | Self::Begun { tag, .. } => tag,
        }
    }
}

impl<'a> Stays<'a> {
    /// The stays that are wanted, the newest first.
    pub(super) fn listed(&self, query: &ListQuery) -> Result<Listed<'a>, ArchiveError> {
        if query.only_active {
            return self.active(query);
        }
        let newest = Place::last_of(self.head);
        let (repository, (skip, take)) = (self.repository.as_str(), query.part());
        let moves = Term::KindIn(repository, Kind::TagMoved);
        match (&query.only, &query.filter) {
            (Some(only), filter) => {
                let stays = self.archive.stays(self.repository, only, newest);
                self.taken(stays.map(|stay| stay.map(FoundStay::Whole)), filter, (skip, take))
            }
            // Nobody need read what is skipped.
            (None, Filter::Any) => match self.archive.places_of(moves, newest, Order::Descending).nth(skip) {
                None => Ok(Listed { stays: Vec::new(), has_more: false, is_cut_off: false }),
                Some(from) => {
                    let begun = self.archive.events_of(moves, from?, Order::Descending).filter_map(begun);
                    self.taken(begun, &Filter::Any, (0, take))
                }
            },
            (None, filter) => {
                let begun = self.archive.events_of(moves, newest, Order::Descending).filter_map(begun);
                self.taken(begun, filter, (skip, take))
            }
        }
    }

    fn taken(
        &self,
        found: impl Iterator<Item = Result<FoundStay, ArchiveError>>,
        filter: &Filter,
        (skip, take): (usize, usize),
    ) -> Result<Listed<'a>, ArchiveError> {
        let mut listed = Listed { stays: Vec::new(), has_more: false, is_cut_off: false };
        let mut skipped = 0;
        for (looked_at, found) in found.enumerate() {
            if looked_at == MOST_LOOKED_AT {
                (listed.has_more, listed.is_cut_off) = (true, true);
                break;
            }
            let found = found?;
            if !filter.selects(found.tag()) {
                continue;
            }
            if skipped < skip {
                skipped += 1;
                continue;
            }
            if listed.stays.len() == take {
                listed.has_more = true;
                break;
            }
            listed.stays.push(self.whole(found)?);
        }
        Ok(listed)
    }

    /// The tags that are live, by when they began to point where they do.
    fn active(&self, query: &ListQuery) -> Result<Listed<'a>, ArchiveError> {
        let live = self.live.into_iter().flat_map(|live| live.tags_after(None));
        let is_wanted = |tag: &Tag| query.only.as_ref().is_none_or(|only| only == tag) && query.filter.selects(tag);
        let mut tags: Vec<_> = live.filter(|(tag, _)| is_wanted(tag)).collect();
        tags.sort_unstable_by_key(|(_, state)| Reverse(state.since().seq));
        let (skip, take) = query.part();
        let end = skip.saturating_add(take);
        let mut listed = Listed { stays: Vec::new(), has_more: tags.len() > end, is_cut_off: false };
        let mut at = 0;
        for together in tags.chunk_by(|one, other| one.1.since().seq == other.1.since().seq) {
            let (first, behind) = (at, at + together.len());
            at = behind;
            if behind > skip && first < end {
                let stays = self.begun_together(together)?;
                let part = skip.saturating_sub(first)..together.len().min(end - first);
                for stay in stays.into_iter().skip(part.start).take(part.len()) {
                    listed.stays.push(self.whole(FoundStay::Whole(stay))?);
                }
            }
        }
        Ok(listed)
    }

    /// The stays of live tags that began in one record, the last of it first: a push may move several tags.
    fn begun_together(&self, tags: &[(&'a Tag, TagState<'a>)]) -> Result<Vec<Stay>, ArchiveError> {
        let mut stays = Vec::new();
        for (tag, state) in tags {
            let last = Place::last_of(state.since().seq);
            stays.extend(self.archive.stays(self.repository, tag, last).next().transpose()?);
        }
        stays.sort_by_key(|stay| Reverse(stay.start));
        Ok(stays)
    }

    fn whole(&self, found: FoundStay) -> Result<ListedStay<'a>, ArchiveError> {
        let stay = match found {
            FoundStay::Whole(stay) => stay,
            FoundStay::Begun { tag, start } => {
                self.archive.stay(self.repository, &tag, start, Place::last_of(self.head))?
            }
        };
        let entry = self.live.and_then(|live| live.repository.tag_entry(stay.tag.as_str())).map(|(_, state)| state);
        let standing = entry.filter(|state| {
            stay.end.is_none() && state.since().seq == stay.start.seq && *state.digest() == stay.digest
        });
        let is_index = stay.media_type.manifest_kind() == Some(ManifestKind::Index);
        let is_reversion = self.archive.is_reversion(self.repository, &stay)?;
        Ok(ListedStay { stay, standing, is_reversion, is_index })
    }
}

fn begun(found: Result<Found, ArchiveError>) -> Option<Result<FoundStay, ArchiveError>> {
    found.map(|found| FoundStay::begun_by(&found)).transpose()
}
