//! The history of one tag is what happened to it, whatever part of it is asked for, and no record is read for it.

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Head, Id, Origin, Record};

use super::*;
use crate::audit::past::tests::archived;

/// Images that are pushed under one tag, one after the other. Every seventh is tagged by a record of its own, every fifth
/// deleted with the tag on it, and every eleventh followed by the image before.
struct Pushes {
    records: Vec<Record>,
    head: Head,
    /// Where the tag points, as the number of the image.
    at: Option<u16>,
    /// What happened to the tag.
    turns: Vec<TagEntry>,
}

impl Pushes {
    fn new(count: u16) -> Self {
        let mut pushes = Self { records: Vec::new(), head: Head::default(), at: None, turns: Vec::new() };
        pushes.record(vec![Event::LogStarted { log: Id([1; 16]) }]);
        for number in 0..count {
            let push = Event::ManifestPushed {
                repository: repository(),
                digest: digest(number),
                size: u64::from(number),
                media_type: media_type(number),
                artifact_type: None,
                subject: None,
                references: Default::default(),
            };
            if number % 7 == 0 {
                pushes.record(vec![push]);
                pushes.turn(vec![], number);
            } else {
                pushes.turn(vec![push], number);
            }
            if number % 5 == 0 {
                pushes.record(vec![Event::ManifestDeleted { repository: repository(), digest: digest(number) }]);
                pushes.note(1, TagChange::Deleted, number);
                pushes.at = None;
            } else if number % 11 == 0 && (number - 1) % 5 != 0 {
                pushes.turn(vec![], number - 1);
            }
        }
        pushes
    }

    fn record(&mut self, events: Vec<Event>) {
        let (seq, time) = (self.head.seq + 1, Timestamp(self.head.time.0 + 10));
        let (actor, origin) = (Actor::system("test"), Origin::default());
        let record = Record { format: FORMAT_VERSION, seq, time, prev: self.head.hash, actor, origin, events };
        self.head = record.encode().unwrap().head();
        self.records.push(record);
    }

    /// The tag is moved to an image, behind other events.
    fn turn(&mut self, mut events: Vec<Event>, number: u16) {
        let (from, index) = (self.at.replace(number).map(digest), events.len());
        events.push(Event::TagMoved { repository: repository(), tag: tag(), from, to: digest(number) });
        self.record(events);
        self.note(index, TagChange::Created, number);
    }

    fn note(&mut self, index: usize, change: TagChange, number: u16) {
        let (place, time) = (Place { seq: self.head.seq, index: u32::try_from(index).unwrap() }, self.head.time);
        let (digest, size, media_type) = (digest(number), u64::from(number), media_type(number));
        self.turns.push(TagEntry { place, time, change, digest, size, media_type });
    }

    /// What is to be told, the newest first.
    fn told(&self, wanted: &TagHistory) -> Vec<TagEntry> {
        let is_wanted = |turn: &&TagEntry| {
            turn.place.seq <= wanted.up_to
                && wanted.before.is_none_or(|before| turn.time < before)
                && wanted.since.is_none_or(|since| turn.time > since)
                && wanted.digest.as_ref().is_none_or(|digest| turn.digest == *digest)
        };
        self.turns.iter().rev().filter(is_wanted).cloned().collect()
    }
}

fn repository() -> RepositoryName {
    "acme/app".parse().unwrap()
}

fn tag() -> Tag {
    "latest".parse().unwrap()
}

fn digest(number: u16) -> Digest {
    let [high, low] = number.to_be_bytes();
    let mut raw = [0; 64];
    (raw[0], raw[1]) = (high, low);
    if number.is_multiple_of(9) { Digest::sha512(raw) } else { Digest::from_raw(&raw[..32]).unwrap() }
}

fn media_type(number: u16) -> MediaType {
    use tagstone_schema::media_type::{DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX};
    [OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE][usize::from(number % 3)].parse().unwrap()
}

/// All of a history.
fn whole(up_to: Seq) -> TagHistory {
    let (repository, tag) = (repository(), tag());
    TagHistory { repository, tag, up_to, before: None, since: None, digest: None, limit: 10_000 }
}

/// Every page of an answer, and how many there were.
fn pages(archive: &Archive, mut wanted: TagHistory, most: usize) -> (Vec<TagEntry>, usize) {
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = wanted.read_among(archive, most).unwrap();
        assert!(page.entries.len() <= wanted.limit);
        all.extend(page.entries);
        pages += 1;
        match page.before {
            Some(before) => {
                assert!(wanted.before.is_none_or(|last| before < last), "it does not get on");
                wanted.before = Some(before);
            }
            None => return (all, pages),
        }
    }
}

#[test]
fn any_part_is_told_page_by_page_without_a_look_at_the_log() {
    let pushes = Pushes::new(600);
    archived(&pushes.records, |archive| {
        let reached = archive.reached().seq;
        (1..=reached).for_each(|seq| archive.lose(seq));
        assert!(archive.record(7).is_err(), "no record can be read");
        let turns = &pushes.turns;
        assert!(turns.len() > 700, "{}", turns.len());
        assert_eq!(pages(archive, whole(reached), MOST_LOOKED_AT), (pushes.told(&whole(reached)), 1));
        for at in [0, 1, 2, 255, 256, 257, 500, turns.len() - 1] {
            let turn = &turns[at];
            let parts = [
                TagHistory { before: Some(turn.time), ..whole(reached) },
                TagHistory { before: Some(Timestamp(turn.time.0 + 1)), ..whole(reached) },
                TagHistory { since: Some(turn.time), ..whole(reached) },
                TagHistory { since: Some(Timestamp(turn.time.0 - 1)), ..whole(reached) },
                TagHistory { since: Some(turns[at / 2].time), before: Some(turn.time), ..whole(reached) },
                TagHistory { digest: Some(turn.digest.clone()), ..whole(reached) },
                whole(turn.place.seq),
                whole(turn.place.seq - 1),
            ];
            for part in parts {
                let expected = pushes.told(&part);
                for limit in [1, 7, 256, 10_000] {
                    let (told, count) = pages(archive, TagHistory { limit, ..part.clone() }, MOST_LOOKED_AT);
                    assert_eq!(told, expected, "{part:?}");
                    assert_eq!(count, expected.len().div_ceil(limit).max(1), "there is a page without need: {part:?}");
                }
            }
        }
    });
}

#[test]
fn a_question_looks_at_a_bounded_number_of_turns_and_leads_on() {
    let pushes = Pushes::new(100);
    archived(&pushes.records, |archive| {
        let last = pushes.turns.len() - 1;
        let wanted = TagHistory { digest: Some(pushes.turns[3].digest.clone()), ..whole(archive.reached().seq) };
        let first = wanted.read_among(archive, 20).unwrap();
        assert_eq!(first, TagEntries { entries: Vec::new(), before: Some(pushes.turns[last - 19].time) });
        let (told, count) = pages(archive, wanted.clone(), 20);
        assert_eq!((told, count), (pushes.told(&wanted), pushes.turns.len().div_ceil(20)));
    });
}

#[test]
fn nothing_is_told_of_what_never_was_and_to_who_asks_for_nothing() {
    archived(&Pushes::new(3).records, |archive| {
        let reached = archive.reached().seq;
        let others = [
            TagHistory { repository: "acme/ap".parse().unwrap(), ..whole(reached) },
            TagHistory { tag: "lates".parse().unwrap(), ..whole(reached) },
            TagHistory { limit: 0, ..whole(reached) },
        ];
        for other in others {
            assert_eq!(other.read(archive).unwrap(), TagEntries::default(), "{other:?}");
        }
        assert_ne!(whole(reached).read(archive).unwrap(), TagEntries::default());
    });
}
