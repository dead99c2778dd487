//! The clock may do what it likes; records keep their order.

use tagstone_replay::log::Log;
use tagstone_schema::Timestamp;

use crate::commands::link;
use crate::registry::{Answer, Registry, START, folded, records, told_by};

#[test]
fn records_increase_whatever_the_clock_does() {
    let (mut registry, log) = Registry::in_memory(100);
    registry.start();
    // The clock, and the time of the record.
    let cases = [
        (START + 1_000, START + 1_000),
        // It stands still.
        (START + 1_000, START + 1_001),
        (START + 1_000, START + 1_002),
        // It goes backwards, before the epoch, and comes back.
        (START, START + 1_003),
        (i64::MIN, START + 1_004),
        (-1, START + 1_005),
        (START + 1_005, START + 1_006),
        // It jumps.
        (START + 1_000_000_000, START + 1_000_000_000),
        (START + 2_000, START + 1_000_000_001),
    ];
    for (at, (clock, _)) in cases.iter().enumerate() {
        registry.clock.set(*clock);
        assert_eq!(registry.submit(link("a", &at.to_string())), Answer::Committed(at as u64 + 2));
    }
    let times: Vec<_> = records(&log).iter().skip(1).map(|record| record.time.0).collect();
    assert_eq!(times, cases.map(|(_, time)| time));
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn the_records_of_one_batch_increase_too() {
    let (mut registry, log) = Registry::in_memory(100);
    registry.clock.set(START + 5);
    registry.commit((0..4).map(|blob| link("a", &blob.to_string())).collect());
    let times: Vec<_> = records(&log).iter().skip(1).map(|record| record.time).collect();
    assert_eq!(times, [START + 5, START + 6, START + 7, START + 8].map(Timestamp));
}

/// A clock at the end of time leaves no later time for the next record. A record of the same time would be taken
/// for damage by the next start, so it is refused here.
#[test]
fn a_record_that_could_not_be_read_again_is_not_written() {
    let (mut registry, log) = Registry::in_memory(100);
    registry.clock.set(i64::MAX);
    let answers = registry.commit(vec![link("a", "1"), link("a", "2")]);
    assert_eq!(answers, [Answer::Committed(2), Answer::Bug]);
    assert_eq!(registry.submit(link("a", "3")), Answer::Bug);
    let again = log.reopened();
    assert_eq!(records(&again).len(), 2);
    assert_eq!((again.head(), registry.seen()), (folded(&again).head, told_by(&log)));
}
