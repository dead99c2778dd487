//! Where tags are foreseen, rightly or wrongly: what follows is the same.

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Origin, Record, RecordHash};

use super::*;

fn record(seq: usize, events: Vec<Event>) -> Record {
    let (Moment { seq, time }, actor, origin) = (moment(seq), Actor::system("test"), Origin::default());
    Record { format: FORMAT_VERSION, seq, time, prev: RecordHash([0; 32]), actor, origin, events }
}

#[test]
fn tags_are_where_they_are_wherever_they_were_foreseen() {
    let image = |name| [pushed(name, 1, &[], None), pushed(name, 2, &[], None)];
    let tags: Vec<_> = (0..8).map(|n| format!("t{n}")).collect();
    let tagged = tags.iter().map(|tag| moved("a", tag, None, 1)).chain([moved("b", "t0", None, 1)]);
    let before: Vec<_> = [started()].into_iter().chain(image("a")).chain(image("b")).chain(tagged).collect();
    let next = [
        vec![moved("a", "t1", Some(1), 2), moved("a", "t2", Some(1), 2)],
        // The last tags come to where these were.
        vec![ended("a", &[("t0", 1), ("t7", 1), ("t3", 1)]), moved("a", "t4", Some(1), 2)],
        vec![moved("b", "t0", Some(1), 2), moved("a", "t8", None, 1), moved("a", "t5", Some(1), 2)],
        vec![linked("a", 9, 5, None), ended("a", &[("t6", 1), ("t8", 1)]), moved("b", "t1", None, 1)],
    ];
    let records: Vec<_> = [before].into_iter().chain(next).zip(1..).map(|(events, seq)| record(seq, events)).collect();
    let mut expected = State::default();
    records.iter().for_each(|record| expected.apply(record).unwrap());
    for order in [&[1, 2, 3, 4][..], &[4, 3, 2, 1], &[2, 1, 4, 3], &[2, 2, 2, 2], &[3, 4, 1, 2, 3], &[4], &[]] {
        let mut alone = State::alone();
        alone.apply(&records[0]).unwrap();
        alone.foresee(order.iter().map(|which| &records[*which]));
        if order == [1, 2, 3, 4] {
            // Of a record's tags, those of its first repository; what is not there yet is nowhere.
            let places: Vec<_> = (0..10).map(|which| alone.foreseen.tag(which)).collect();
            let [of_1, of_2] = [[1, 2].map(Some).to_vec(), [0, 7, 3, 4].map(Some).to_vec()];
            assert_eq!(places, [of_1, of_2, vec![Some(0), Some(6), None, None]].concat());
        }
        for record in &records[1..] {
            alone.apply(record).unwrap_or_else(|why| panic!("foreseen as {order:?}: {why}"));
        }
        assert_eq!(alone.fingerprint(), expected.fingerprint(), "foreseen as {order:?}");
    }
}
