//! The history of one tag: what a question looks at, and what it need not look at.

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Head, Id, Origin, Record};

use super::*;
use crate::audit::past::tests::archived;
use crate::fold::State;

/// Records of a tag that was moved twice, locked and unlocked for years in between.
fn records() -> Vec<Record> {
    let (repository, tag): (RepositoryName, Tag) = ("acme/app".parse().unwrap(), "v1".parse().unwrap());
    let digests = [1, 2].map(|n| Digest::sha256([n; 32]));
    let push = |digest: &Digest, size: u64| Event::ManifestPushed {
        repository: repository.clone(),
        digest: digest.clone(),
        size,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: Default::default(),
    };
    let moved = |from: Option<&Digest>, to: &Digest| Event::TagMoved {
        repository: repository.clone(),
        tag: tag.clone(),
        from: from.cloned(),
        to: to.clone(),
    };
    let mut all = vec![
        vec![Event::LogStarted { log: Id([1; 16]) }],
        vec![push(&digests[0], 7), push(&digests[1], 8), moved(None, &digests[0])],
    ];
    for _ in 0..MOST_LOOKED_AT / 20 {
        let lock = Event::TagLocked { repository: repository.clone(), tag: tag.clone() };
        let unlock = Event::TagUnlocked { repository: repository.clone(), tag: tag.clone() };
        all.push(std::iter::repeat_n([lock, unlock], 20).flatten().collect());
    }
    all.push(vec![moved(Some(&digests[0]), &digests[1])]);
    chained(all)
}

fn chained(all: Vec<Vec<Event>>) -> Vec<Record> {
    let mut head = Head::default();
    let mut records = Vec::new();
    for events in all {
        let (seq, time, actor, origin) = (head.seq + 1, head.time.next(), Actor::system("test"), Origin::default());
        let record = Record { format: FORMAT_VERSION, seq, time, prev: head.hash, actor, origin, events };
        head = record.encode().unwrap().head();
        records.push(record);
    }
    records
}

#[test]
fn a_question_looks_at_a_bounded_number_of_events_and_leads_on() {
    let records = records();
    archived(&records, |archive| {
        let mut wanted = TagHistory {
            repository: "acme/app".parse().unwrap(),
            tag: "v1".parse().unwrap(),
            up_to: archive.reached().seq,
            before: None,
            since: None,
            digest: None,
            limit: 10,
        };
        let first = wanted.read(archive, None).unwrap();
        // Its manifest was pushed by another record, that of the first entry by its own.
        let shown = |part: &TagEntries| part.entries.iter().map(|entry| (entry.seq, entry.size)).collect::<Vec<_>>();
        assert_eq!(shown(&first), [(archive.reached().seq, 8)]);
        wanted.before = first.before;
        let mut parts = 0;
        let last = loop {
            let part = wanted.read(archive, None).unwrap();
            assert!(part.before < wanted.before, "{part:?}");
            wanted.before = part.before;
            parts += 1;
            if part.before.is_none() {
                break part;
            }
            assert_eq!(part.entries, []);
        };
        assert_eq!(shown(&last), [(2, 7)]);
        assert!((1..4).contains(&parts), "{parts}");
    });
}

/// Images that are pushed under one tag, one after the other. Every seventh is tagged by a record of its own, and every fifth
/// deleted again with the tag on it.
fn pushes(count: u16) -> Vec<Record> {
    let (repository, tag): (RepositoryName, Tag) = ("acme/app".parse().unwrap(), "latest".parse().unwrap());
    let mut all = vec![vec![Event::LogStarted { log: Id([1; 16]) }]];
    let mut from = None;
    for number in 0..count {
        let mut raw = [0; 32];
        raw[..2].copy_from_slice(&number.to_be_bytes());
        let digest = Digest::sha256(raw);
        let push = Event::ManifestPushed {
            repository: repository.clone(),
            digest: digest.clone(),
            size: u64::from(number),
            media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: Default::default(),
        };
        let to = digest.clone();
        let moved = Event::TagMoved { repository: repository.clone(), tag: tag.clone(), from: from.take(), to };
        all.extend(if number % 7 == 0 { vec![vec![push], vec![moved]] } else { vec![vec![push, moved]] });
        if number % 5 == 0 {
            all.push(vec![Event::ManifestDeleted { repository: repository.clone(), digest }]);
        } else {
            from = Some(digest);
        }
    }
    chained(all)
}

#[test]
fn what_the_repository_still_has_changes_no_answer_and_is_not_read() {
    let records = pushes(400);
    let mut state = State::default();
    records.iter().for_each(|record| state.apply(record).unwrap());
    let repository = state.repository("acme/app");
    archived(&records, |archive| {
        let wanted = |limit, digest: Option<&Digest>| TagHistory {
            repository: "acme/app".parse().unwrap(),
            tag: "latest".parse().unwrap(),
            up_to: archive.reached().seq - 3,
            before: None,
            since: Some(Timestamp(9)),
            digest: digest.cloned(),
            limit,
        };
        let all = wanted(1_000, None).read(archive, None).unwrap();
        assert!(all.entries.len() > 450 && all.before.is_none(), "{}", all.entries.len());
        for limit in [0, 1, 40, 100, 450, 1_000] {
            let known = wanted(limit, None).read(archive, repository).unwrap();
            assert_eq!(known, wanted(limit, None).read(archive, None).unwrap(), "{limit}");
        }
        let one = Some(&all.entries[300].digest);
        assert_eq!(wanted(9, one).read(archive, repository), wanted(9, one).read(archive, None));
        // The record of a move that is far back, to a manifest that is still there, and one of a manifest that is gone.
        let [stands, gone] = [true, false].map(|stands| {
            let has = |digest| repository.unwrap().manifest(digest).is_some_and(|found| found.size % 7 != 0);
            let far = &all.entries[100..];
            far.iter().find(|entry| has(&entry.digest) == stands && entry.change == TagChange::Created).unwrap()
        });
        archive.lose(stands.seq);
        assert_eq!(wanted(1_000, None).read(archive, repository).unwrap(), all);
        assert!(wanted(1_000, None).read(archive, None).is_err());
        archive.lose(gone.seq);
        assert!(wanted(1_000, None).read(archive, repository).is_err());
    });
}
