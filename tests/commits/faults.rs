//! A disk that fails: the writer stops, reads go on, and the next start finds an exact prefix.

use tagstone_replay::fold::State;
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::{Fault, MemoryLog};
use tagstone_schema::Head;

use crate::commands::{delete_blob, digest_of, link, push};
use crate::fake_disk::Storing;
use crate::registry::{Answer, Registry, folded, records, told_by};

/// Two commands are committed; a batch of two fails; two more wait behind it.
fn second_batch_fails(fail: impl FnOnce(&Registry, &MemoryLog)) -> (Registry, MemoryLog, Vec<Answer>) {
    let (mut registry, log) = Registry::in_memory(2);
    let first = registry.commit(vec![link("a", "1"), push("a", "image 1", &["1"], &["x"])]);
    assert_eq!(first, [Answer::Committed(2), Answer::Committed(3)]);
    let (mut registry, log) = reopened(registry, &log);
    fail(&registry, &log);
    let rest = registry.commit(vec![
        link("a", "2"),
        push("a", "image 2", &["2"], &["x"]),
        link("a", "3"),
        push("a", "image 3", &["1"], &["y"]),
    ]);
    (registry, log, rest)
}

/// A registry started anew over the same log.
fn reopened(registry: Registry, log: &MemoryLog) -> (Registry, MemoryLog) {
    drop(registry);
    let log = log.reopened();
    (Registry::over(log.clone(), folded(&log), 2), log)
}

fn assert_poisoned(registry: &Registry, answers: &[Answer], good: &(Head, String)) {
    assert_eq!(answers, [Answer::Poisoned, Answer::Poisoned, Answer::Poisoned, Answer::Poisoned]);
    assert!(registry.handle.is_poisoned());
    assert_eq!(registry.tally.0.lock().unwrap().1, 1, "poisoned once");
    assert_eq!(&registry.seen(), good, "readers stay where they were");
    let stored = registry.bytes.kept().calls;
    for later in [link("b", "later"), push("a", "image 1", &["1"], &["x"]), delete_blob("b", "none")] {
        assert_eq!(registry.submit(later), Answer::Poisoned);
    }
    assert_eq!(registry.bytes.kept().calls, stored, "nothing is written any more");
    assert_eq!(&registry.seen(), good);
}

#[test]
fn after_a_failed_append_nothing_is_acknowledged_and_the_log_is_a_prefix() {
    // The fault, and how many of the failed batch's records a restart finds.
    for (fault, survive) in [(Fault::LoseAll, 0), (Fault::KeepFirst, 1), (Fault::KeepAll, 2)] {
        let (registry, log, answers) = second_batch_fails(move |_, log| log.fail_next(fault));
        let issued = records(&log);
        assert_eq!(issued.len(), 3 + survive, "{fault:?}");
        let good = prefix(&log, 3);
        assert_poisoned(&registry, &answers, &good);

        let (mut registry, log) = reopened(registry, &log);
        assert_eq!(records(&log), issued, "{fault:?}: the chain is sound and holds what was acknowledged");
        assert_eq!(registry.seen(), told_by(&log));
        let next = 4 + survive as u64;
        // The client repeats what it was not told of. What survived is not written again.
        let expected = match survive {
            0 => [Answer::Committed(next), Answer::Committed(next + 1)],
            1 => [Answer::Unchanged, Answer::Committed(next)],
            _ => [Answer::Unchanged, Answer::Unchanged],
        };
        assert_eq!(registry.commit(vec![link("a", "2"), push("a", "image 2", &["2"], &["x"])]), expected, "{fault:?}");
        assert_eq!(registry.seen(), told_by(&log));
    }
}

#[test]
fn another_writer_of_the_same_log_ends_this_one() {
    let (registry, log, answers) = second_batch_fails(|_, log| log.fail_next(Fault::Conflict));
    assert_poisoned(&registry, &answers, &prefix(&log, 3));
    assert_eq!(log.head().seq, 3);
}

#[test]
fn a_second_registry_over_one_log_is_found_out_by_its_first_commit() {
    let (mut one, log) = Registry::in_memory(10);
    let mut other = Registry::over(log.reopened(), folded(&log), 10);
    assert_eq!(one.commit(vec![link("a", "1")]), [Answer::Committed(2)]);
    assert_eq!(other.commit(vec![link("a", "2")]), [Answer::Poisoned]);
    assert_eq!(one.submit(link("a", "3")), Answer::Committed(3));
    assert_eq!(one.seen(), told_by(&log));
}

#[test]
fn after_failed_bytes_no_record_is_written() {
    let (registry, log, answers) = second_batch_fails(|registry, _| registry.bytes.kept().next = Storing::Fails);
    assert_poisoned(&registry, &answers, &prefix(&log, 3));
    assert_eq!(log.head().seq, 3);
    assert!(!registry.bytes.kept().contents.contains_key(&digest_of("2")));
}

#[test]
fn bytes_that_fail_poison_also_where_no_record_would_follow() {
    let (mut registry, _log) = Registry::in_memory(10);
    assert_eq!(registry.commit(vec![link("a", "1")]), [Answer::Committed(2)]);
    registry.bytes.kept().next = Storing::Fails;
    assert_eq!(registry.submit(link("a", "1")), Answer::Poisoned);
    registry.bytes.kept().next = Storing::Works;
    assert_eq!(registry.submit(link("a", "1")), Answer::Poisoned);
}

#[test]
fn a_panic_under_the_writer_is_a_failed_write() {
    let (registry, log, answers) = second_batch_fails(|registry, _| registry.bytes.kept().next = Storing::Panics);
    assert_poisoned(&registry, &answers, &prefix(&log, 3));
    assert_eq!(log.head().seq, 3);
}

/// What a log of these many first records tells.
fn prefix(log: &MemoryLog, count: usize) -> (Head, String) {
    let mut state = State::default();
    let records = records(log);
    for record in &records[..count] {
        state.apply(record).unwrap();
    }
    (records[count - 1].encode().unwrap().head(), state.fingerprint().to_string())
}
