//! Purges of more than fits into one record.

use std::collections::BTreeSet;

use tagstone_schema::limits;

use super::*;
use crate::registry::command::{Command, DropCause, DropContents};
use crate::registry::decide::decide;
use crate::registry::record_size::record_bytes;

fn wide(number: u16) -> Digest {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    bytes[2] = 1;
    Digest::sha256(bytes)
}

/// An image with a thousand layers, each of which other repositories with long names link too.
#[test]
fn a_purge_goes_on_until_all_is_gone() {
    let mut events = Vec::new();
    let others: Vec<_> = (0..2).map(|number| format!("{number}/{}", "long".repeat(50))).collect();
    for repository in [&"a".to_owned()].into_iter().chain(&others) {
        for number in 0..900 {
            let (repository, digest) = (name(repository), wide(number));
            events.push(Event::BlobLinked { repository, digest, size: 7, mounted_from: None });
        }
    }
    let Event::ManifestPushed { media_type, .. } = image("a", 20, &[]) else { unreachable!() };
    events.push(Event::ManifestPushed {
        repository: name("a"),
        digest: digest(20),
        size: 100,
        media_type,
        artifact_type: None,
        subject: None,
        references: (0..900).map(wide).collect(),
    });
    let mut state = given(&events);
    let order = PurgeOrder { grace_began: Timestamp(100_000), ..order(Purged::Digest(digest(20))) };
    let plan = PurgePlan::of(&state, &order, Free::WHOLLY).unwrap();
    let (mut events, mut rest) = plan.records(&order);
    let mut gone = BTreeSet::new();
    let mut seq = 100_000;
    while !events.is_empty() {
        let bytes =
            record_bytes(&tagstone_schema::Actor::anonymous(), &tagstone_schema::Origin::default(), events.clone());
        assert!(bytes <= limits::RECORD_BYTES as u64, "{bytes} bytes");
        seq += 1;
        for event in &events {
            state.evolve(Moment { seq, time: Timestamp(100_000) }, event).unwrap();
        }
        gone.extend(super::super::remover::removed(&events));
        rest.retain(|content| !gone.contains(&content.digest));
        let cause = DropCause::Purged { repository: name("a"), because: "a leak".parse().unwrap() };
        let drop = DropContents { cause, contents: rest.clone(), grace_began: order.grace_began };
        events = decide(&state, &Command::DropContents(Box::new(drop))).unwrap();
    }
    assert!(rest.is_empty() && seq > 100_001, "{} are left behind {seq}", rest.len());
    assert_eq!(gone.len(), 901);
    assert!(gone.iter().all(|digest| !state.knows(digest)));
}

/// The links of one content alone fill records.
#[test]
fn content_that_a_thousand_repositories_link_goes_in_steps() {
    let names: Vec<_> = (0..1_000).map(|number| format!("{}/{number}", "long".repeat(40))).collect();
    let links = names.iter().map(|repository| linked(repository, 1));
    let mut state = given(&links.chain([linked("a", 1)]).collect::<Vec<_>>());
    let order = PurgeOrder { grace_began: Timestamp(100_000), ..order(Purged::Digest(digest(1))) };
    let plan = PurgePlan::of(&state, &order, Free::WHOLLY).unwrap();
    let (events, rest) = plan.records(&order);
    assert!(events.is_empty(), "nothing of it fits");
    let cause = DropCause::Purged { repository: name("a"), because: "a leak".parse().unwrap() };
    let mut steps = 0;
    while state.knows(&digest(1)) {
        let drop = DropContents { cause: cause.clone(), contents: rest.clone(), grace_began: order.grace_began };
        let events = decide(&state, &Command::DropContents(Box::new(drop))).unwrap();
        steps += 1;
        assert!(!events.is_empty(), "step {steps} does nothing");
        for event in &events {
            state.evolve(Moment { seq: 100_000 + steps, time: Timestamp(100_000) }, event).unwrap();
        }
    }
    assert!(steps > 2, "{steps}");
}
