//! The archive finds what a look at every event finds, in whatever state its index is.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use tagstone_schema::{Digest, Event, RepositoryName, Tag};

use super::*;
use crate::audit::index::Limits;
use crate::audit::{ActorName, AuditEvent, Filter, Folded, Stay, TagEnd, What};
use crate::content::Layout;
use crate::fold::State;
use crate::fold::properties::{choices, decoded, history};
use crate::log::{EmbeddedLog, Log, Options};

/// A log with its archive, and all that happened in it.
struct Archived {
    _directory: tempfile::TempDir,
    log: EmbeddedLog,
    archive: Archive,
    all: Vec<Unfolded>,
}

impl Archived {
    /// The index is closed and opened again at a place.
    fn new(choices: &[[u8; 4]], reopened: Index) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let mut log = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(())).unwrap().log;
        let records = history(choices);
        log.append(&log.head(), &records).unwrap();
        let limits = Limits { postings: 200, least: 800, most: 100_000, runs: 6 };
        let open = || AuditIndex::open_with(&layout.index(), limits).unwrap();
        let (mut index, mut state, mut all) = (open(), State::default(), Vec::new());
        let reopened = reopened.index(records.len());
        for (at, (record, encoded)) in decoded(&records).into_iter().zip(&records).enumerate() {
            if at == reopened {
                index.close().unwrap();
                index = open();
            }
            let folded = Folded::apply(&mut state, record).unwrap();
            index.add(&folded, encoded.head()).unwrap();
            all.push(folded.unfolded);
        }
        let archive = Archive::new(&index, log.reader());
        Self { _directory: directory, log, archive, all }
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = AuditEvent<'_>> {
        self.all.iter().flat_map(|unfolded| unfolded.events().collect::<Vec<_>>())
    }

    /// A filter for some of what an event is, and for nothing that it is not.
    fn filter(&self, at: Index, asked: u16) -> Filter {
        let events: Vec<_> = self.events().collect();
        let event = at.get(&events);
        let mut filter = Filter::default();
        let is_asked = |bit: u16| asked & 1 << bit != 0;
        event.touches(|touch| {
            filter.repository = touch.repository.filter(|_| is_asked(0)).cloned();
            filter.namespace = is_asked(1).then(|| "team".parse().unwrap()).filter(|_| touch.repository.is_some());
            filter.tag = touch.tag.filter(|_| is_asked(2)).cloned();
            filter.digest = touch.from.or(touch.digest).filter(|_| is_asked(3)).cloned();
        });
        filter.actor = is_asked(4).then(|| ActorName { kind: None, name: event.record.actor.name.to_string() });
        filter.kind = is_asked(5).then(|| event.kind());
        filter.cause = event.cause().filter(|_| is_asked(6));
        filter.since = is_asked(7).then_some(event.record.time);
        filter.until = is_asked(8).then(|| event.record.time.next());
        filter.from_seq = is_asked(9).then_some(event.record.seq);
        filter.to_seq = is_asked(10).then_some(event.record.seq);
        filter
    }

    /// Every page of an answer.
    fn pages(&self, mut query: Query) -> Vec<Place> {
        let mut found = Vec::new();
        loop {
            let page = self.archive.events(&query).unwrap();
            assert!(page.events.len() <= query.limit);
            found.extend(page.events.iter().map(Found::place));
            match page.next {
                Some(_) => query.after = page.next,
                None => return found,
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_found_is_what_the_filter_selects(
        choices in choices(),
        reopened in any::<Index>(),
        asked in proptest::collection::vec((any::<Index>(), any::<u16>(), any::<Option<Index>>(), 1usize..40), 60),
    ) {
        let archived = Archived::new(&choices, reopened);
        for (at, bits, after, limit) in asked {
            let filter = archived.filter(at, bits);
            let after = after.map(|after| after.get(&archived.events().collect::<Vec<_>>()).place());
            let selected: Vec<_> =
                archived.events().filter(|event| filter.selects(event)).map(|event| event.place()).collect();
            let ascending: Vec<_> = selected.iter().copied().filter(|place| after.is_none_or(|after| *place > after)).collect();
            let descending: Vec<_> =
                selected.iter().rev().copied().filter(|place| after.is_none_or(|after| *place < after)).collect();
            for (order, expected) in [(Order::Ascending, ascending), (Order::Descending, descending)] {
                let query = Query { filter: filter.clone(), order, after, limit };
                prop_assert_eq!(archived.pages(query), expected, "{:?}", filter);
            }
        }
        for unfolded in &archived.all {
            let found = archived.archive.record(unfolded.record.seq).unwrap().unwrap();
            prop_assert_eq!((&found.record, &found.derived), (&unfolded.record, &unfolded.derived));
            prop_assert_eq!(archived.archive.seq_at(unfolded.record.time).unwrap(), unfolded.record.seq);
            for event in unfolded.events() {
                prop_assert_eq!(format!("{:?}", unfolded.event(event.index)), format!("{:?}", Some(event)));
            }
        }
    }

    #[test]
    fn what_is_sound_before_a_record_that_cannot_be_read_is_told(
        choices in choices(), reopened in any::<Index>(), lost in any::<Index>(), limit in 1usize..40,
    ) {
        let archived = Archived::new(&choices, reopened);
        let places: Vec<_> = archived.events().map(|event| event.place()).collect();
        let lost = lost.get(&places).seq;
        archived.log.reader().lose(lost);
        let before: Vec<_> = places.iter().copied().filter(|place| place.seq < lost).collect();
        let behind: Vec<_> = places.iter().rev().copied().filter(|place| place.seq > lost).collect();
        for (order, sound) in [(Order::Ascending, before), (Order::Descending, behind)] {
            let (mut found, mut after) = (Vec::new(), None);
            let error = loop {
                match archived.archive.events(&Query { filter: Filter::default(), order, after, limit }) {
                    Ok(page) => {
                        found.extend(page.events.iter().map(Found::place));
                        prop_assert!(page.next.is_some(), "the page before the lost record {} leads nowhere", lost);
                        after = page.next;
                    }
                    Err(error) => break error,
                }
            };
            prop_assert_eq!(found, sound);
            prop_assert!(matches!(error, ArchiveError::Record { seq, .. } if seq == lost), "{}", error);
        }
    }

    #[test]
    fn stays_are_those_of_a_list_that_is_kept_by_hand(choices in choices(), reopened in any::<Index>()) {
        let archived = Archived::new(&choices, reopened);
        let archive = &archived.archive;
        let last = Place::last_of(archive.reached().seq);
        for ((repository, tag), rows) in by_hand(&archived) {
            let stays: Vec<Stay> = archive.stays(&repository, &tag, last).collect::<Result<_, _>>().unwrap();
            let told: Vec<_> = stays.iter().rev().map(|stay| (stay.start, stay.digest.clone(), stay.end.map(|end| end.place))).collect();
            prop_assert_eq!(&told, &rows, "{}:{}", repository, tag);
            for (at, stay) in stays.iter().rev().enumerate() {
                prop_assert_eq!(&archive.stay(&repository, &tag, stay.start, last).unwrap(), stay);
                let unended = Stay { end: None, ..stay.clone() };
                prop_assert_eq!(archive.stay(&repository, &tag, stay.start, stay.start).unwrap(), unended);
                // A record may move it twice in these histories.
                let behind = archive.stay(&repository, &tag, stay.start.next(), last);
                prop_assert!(behind.map_or(true, |other| other.start == stay.start.next()));
                let before = rows[..at].iter().any(|(_, digest, _)| *digest == stay.digest);
                prop_assert_eq!(archive.is_reversion(&repository, stay).unwrap(), before);
                prop_assert_eq!((stay.size, stay.media_type.as_str()), (3, tagstone_schema::media_type::OCI_INDEX));
                // As it was before this one: what came later ended nothing.
                if let Some(before) = stay.start.previous() {
                    let earlier: Vec<_> = archive.stays(&repository, &tag, before).collect::<Result<_, _>>().unwrap();
                    prop_assert_eq!(earlier.len(), at);
                    prop_assert!(earlier.first().is_none_or(|newest| newest.end.is_none_or(|end| end.place < stay.start)));
                }
            }
            prop_assert!(archive.had_tags(&repository).unwrap());
        }
        prop_assert!(!archive.had_tags(&"nobody/here".parse().unwrap()).unwrap());
    }
}

type Rows = BTreeMap<(RepositoryName, Tag), Vec<(Place, Digest, Option<Place>)>>;

/// Where each tag pointed, from when to when.
fn by_hand(archived: &Archived) -> Rows {
    let mut rows = Rows::new();
    for event in archived.events() {
        let (key, to) = match event.what {
            What::Written { event: Event::TagMoved { repository, tag, to, .. }, .. } => ((repository, tag), Some(to)),
            What::TagEnded(TagEnd { repository, tag, .. }) => ((repository, tag), None),
            What::Written { .. } => continue,
        };
        let rows = rows.entry((key.0.clone(), key.1.clone())).or_default();
        if let Some((.., end @ None)) = rows.last_mut() {
            *end = Some(event.place());
        }
        rows.extend(to.map(|to| (event.place(), to.clone(), None)));
    }
    rows
}
