//! Refused attempts become records: once a minute, and at a clean stop.

use tagstone_schema::{Event, Timestamp};

use crate::commands::{delete_blob, push};
use crate::registry::{Answer, Registry, records};
use crate::registry::{START, folded};

const MINUTE: i64 = 60_000_000;

/// The refused attempts of a log: the seq of each record, and how often something was tried.
fn recorded(log: &tagstone_replay::log::memory::MemoryLog) -> Vec<(u64, u64)> {
    let counted = records(log).into_iter().filter_map(|record| match &*record.events {
        [Event::AttemptsRefused { entries, others, .. }] => {
            assert_eq!((record.actor.name.as_str(), *others), ("refusals", 0));
            Some((record.seq, entries.iter().map(|entry| entry.count).sum()))
        }
        _ => None,
    });
    counted.collect()
}

fn refuse(registry: &Registry) {
    assert!(matches!(registry.submit(delete_blob("a", "1")), Answer::Rejected(_)));
}

#[test]
fn what_was_refused_in_a_minute_is_one_record_before_the_next_commit() {
    let (mut registry, log) = Registry::in_memory(10);
    registry.clock.set(START + 1);
    registry.commit(vec![crate::commands::link("a", "1"), push("a", "image", &["1"], &["x"])]);
    refuse(&registry);
    registry.clock.set(START + MINUTE);
    refuse(&registry);
    assert_eq!(registry.submit(push("a", "image", &["1"], &["y"])), Answer::Committed(4), "not a minute yet");
    registry.clock.set(START + MINUTE + 1);
    assert!(registry.handle.refusals().is_due(Timestamp(START + MINUTE + 1)));
    assert_eq!(registry.submit(push("a", "image", &["1"], &["z"])), Answer::Committed(6));
    assert_eq!(recorded(&log), [(5, 2)]);
    // Nothing is pending any more, and so a stop records nothing.
    assert_eq!(registry.handle.refusals().list(None, 10).entries[0].tally.count, 2);
    registry.stop();
    assert_eq!((recorded(&log), folded(&log).head.seq), (vec![(5, 2)], 6));
}

#[test]
fn a_wake_is_enough() {
    let (mut registry, log) = Registry::in_memory(10);
    registry.commit(vec![crate::commands::link("a", "1"), push("a", "image", &["1"], &["x"])]);
    refuse(&registry);
    registry.handle.wake();
    refuse(&registry);
    assert_eq!(recorded(&log), []);
    registry.clock.set(MINUTE);
    registry.handle.wake();
    // The answer to another command says that the wake was heard.
    assert!(matches!(registry.submit(push("a", "image", &["1"], &["x"])), Answer::Unchanged));
    assert_eq!(recorded(&log), [(4, 2)]);
    registry.stop();
}

#[test]
fn a_stop_records_what_is_pending_unless_the_disk_has_failed() {
    for poisoned in [false, true] {
        let (mut registry, log) = Registry::in_memory(10);
        registry.commit(vec![crate::commands::link("a", "1"), push("a", "image", &["1"], &["x"])]);
        refuse(&registry);
        if poisoned {
            registry.bytes.kept().next = crate::fake_disk::Storing::Fails;
            assert_eq!(registry.submit(push("a", "image", &["1"], &["y"])), Answer::Poisoned);
        }
        registry.stop();
        assert_eq!(recorded(&log), if poisoned { vec![] } else { vec![(4, 1)] });
    }
}
