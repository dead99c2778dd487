//! What is sound comes in order, and what is not ends it.

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Id, Origin, Seq};

use super::*;

/// Records of a chain, of which one claims another place than it has.
fn stored(count: Seq, astray: Seq) -> Vec<Result<StoredRecord, StoreError>> {
    let mut head = Head::default();
    let next = |seq: Seq| {
        let (actor, origin) = (Actor::system("test"), Origin::default());
        let events = vec![Event::LogStarted { log: Id([1; 16]) }];
        let time = head.time.next();
        let record = Record { format: FORMAT_VERSION, seq, time, prev: head.hash, actor, origin, events };
        let encoded = record.encode().unwrap();
        head = encoded.head();
        Ok(StoredRecord { seq: seq + u64::from(seq == astray), bytes: encoded.bytes().to_vec() })
    };
    (1..=count).map(next).collect()
}

/// What is seen of records, up to the one before which it is enough.
fn seen(
    ahead: &mut Ahead<impl Iterator<Item = Result<StoredRecord, StoreError>> + Send>,
    enough: Seq,
) -> (Seq, Result<(), Seq>) {
    let mut head = Head::default();
    let told = ahead.each(|sound| {
        assert!(sound.len() <= AT_ONCE + 1);
        for next in sound {
            if next.record.seq == enough {
                return Err(enough);
            }
            assert_eq!(std::mem::replace(&mut head, next.head), next.before);
            assert_eq!(next.record.seq, head.seq);
        }
        Ok(())
    });
    (head.seq, told)
}

#[test]
fn all_that_is_sound_comes_in_order_and_what_is_not_ends_it() {
    for (astray, sound) in [(1, 0), (16, 15), (17, 16), (18, 17), (64, 63), (65, 64), (66, 65), (2900, 2899), (0, 3000)]
    {
        let mut one_by_one = Ahead::of(stored(3000, astray).into_iter(), Head::default());
        let mut beside = Ahead::of(stored(3000, astray).into_iter(), Head::default());
        let seqs = one_by_one.by_ref().flatten().map(|next| next.record.seq);
        assert!(seqs.eq(1..=sound), "{astray}");
        assert_eq!(seen(&mut beside, 0), (sound, Ok(())));
        for mut ahead in [one_by_one, beside] {
            assert_eq!((ahead.head().seq, ahead.next().is_none()), (sound, true));
            assert_eq!(ahead.broken().map(|broken| broken.seq), Some(astray).filter(|astray| *astray > 0));
        }
    }
}

#[test]
fn the_last_record_comes_however_many_there_are() {
    for count in [0, 1, 15, 16, 17, 63, 64, 65, 66, 127, 128, 129] {
        let mut ahead = Ahead::of(stored(count, 0).into_iter(), Head::default());
        assert_eq!(seen(&mut ahead, 0), (count, Ok(())));
        assert!(ahead.next().is_none() && ahead.broken().is_none());
    }
}

#[test]
fn a_record_that_cannot_be_read_ends_it_unless_one_before_it_is_not_sound() {
    let unread = [(0, 1, 1), (0, 20, 20), (0, 33, 33), (0, 64, 64), (0, 65, 65), (0, 66, 66)];
    let not_sound = [(18, 20, 18), (5, 40, 5), (64, 65, 64), (65, 66, 65)];
    for (astray, unread, broken) in unread.into_iter().chain(not_sound) {
        let mut stored = stored(140, astray);
        stored[unread - 1] = Err(StoreError::new("reading", "the disk is on fire"));
        let mut ahead = Ahead::of(stored.into_iter(), Head::default());
        assert!(ahead.by_ref().flatten().map(|next| next.record.seq).eq(1..broken));
        assert_eq!(ahead.broken().map(|broken| broken.seq), Some(broken));
    }
}

#[test]
fn what_would_fit_behind_a_record_that_does_not_is_not_believed() {
    for place in [1, 5, 16, 300] {
        let mut twice = stored(600, 0);
        let again = stored(600, 0).swap_remove(place - 1);
        twice.insert(place, again);
        let mut ahead = Ahead::of(twice.into_iter(), Head::default());
        assert_eq!(seen(&mut ahead, 0), (place as Seq, Ok(())));
        assert_eq!(ahead.broken().map(|broken| broken.seq), Some(place as Seq + 1));
    }
}

#[test]
fn of_two_records_that_do_not_fit_the_one_is_blamed_that_those_behind_do_not_confirm() {
    // What is altered, how many records there are, whether the end is known, and what is blamed.
    for (place, count, is_end_known, blamed) in [
        (1, 3, false, 1),
        (7, 60, false, 7),
        (15, 60, false, 15),
        (16, 60, false, 16),
        (17, 60, false, 17),
        (32, 60, true, 32),
        (58, 60, false, 58),
        (63, 140, false, 63),
        (64, 140, false, 64),
        (65, 140, true, 65),
        (64, 65, true, 64),
        // The last one is confirmed by nothing but what is known of the end.
        (59, 60, false, 60),
        (59, 60, true, 59),
        (16, 17, true, 16),
        (60, 60, true, 0),
    ] {
        let mut altered = stored(count, 0);
        let end = altered.last().unwrap().as_ref().unwrap();
        let end = Head { seq: count, hash: RecordHash::of(&end.bytes), ..Head::default() };
        *altered[place - 1].as_mut().unwrap().bytes.last_mut().unwrap() ^= 1;
        let mut ahead = Ahead::of(altered.into_iter(), Head::default()).with_end(is_end_known.then_some(end));
        let sound = if blamed == 0 { count } else { blamed - 1 };
        assert_eq!(seen(&mut ahead, 0), (sound, Ok(())), "{place} of {count}");
        assert_eq!(ahead.head().seq, sound, "{place} of {count}");
        let broken = ahead.broken();
        assert_eq!(broken.as_ref().map_or(0, |broken| broken.seq), blamed, "{place} of {count}");
        let is_altered = |broken: &Broken| matches!(broken.why, BrokenWhy::Altered { by, .. } if by == blamed + 1);
        assert_eq!(broken.is_some_and(|broken| is_altered(&broken)), blamed == place as Seq, "{place} of {count}");
    }
}

#[test]
fn what_is_known_from_outside_decides_which_of_two_records_is_blamed() {
    // Record 20 was altered, or all behind it is of another log; those behind confirm each other.
    for (end, is_altered, blamed) in
        [(19, false, 20), (20, false, 21), (20, true, 20), (21, false, 21), (21, true, 20), (40, true, 20)]
    {
        let mut records = stored(60, 0);
        let head_of = |records: &[Result<StoredRecord, StoreError>]| {
            let stored = records[end - 1].as_ref().unwrap();
            Head { seq: stored.seq, hash: RecordHash::of(&stored.bytes), ..Head::default() }
        };
        let genuine = head_of(&records);
        *records[19].as_mut().unwrap().bytes.last_mut().unwrap() ^= 1;
        let known = match (is_altered, end) {
            (true, _) => genuine,
            (false, 21) => Head { hash: RecordHash([9; 32]), ..genuine },
            (false, _) => head_of(&records),
        };
        let mut ahead = Ahead::of(records.into_iter(), Head::default()).with_end(Some(known));
        assert_eq!(seen(&mut ahead, 0), (blamed - 1, Ok(())), "{end} {is_altered}");
        assert_eq!((ahead.head().seq, ahead.broken().map(|broken| broken.seq)), (blamed - 1, Some(blamed)));
    }
}

#[test]
fn a_record_that_was_known_before_is_not_blamed() {
    let mut later = stored(60, 0).split_off(20);
    let known = Head { seq: 20, hash: RecordHash([7; 32]), ..Head::default() };
    let mut ahead = Ahead::of(later.drain(..), known);
    assert!(ahead.next().is_none());
    assert_eq!((ahead.head(), ahead.broken().map(|broken| broken.seq)), (known, Some(21)));
}

#[test]
fn whoever_has_seen_enough_is_shown_no_more() {
    for enough in [1, 17, 300, 2900] {
        let mut ahead = Ahead::of(stored(3000, 0).into_iter(), Head::default());
        assert_eq!(seen(&mut ahead, enough), (enough - 1, Err(enough)));
        assert!(ahead.head().seq >= enough && ahead.broken().is_none());
    }
}

#[test]
#[should_panic(expected = "the disk is on fire")]
fn a_panic_of_whatever_reads_goes_on_where_the_records_are_seen() {
    let burning = stored(3000, 0).into_iter().inspect(|stored| {
        assert!(!stored.as_ref().is_ok_and(|stored| stored.seq == 700), "the disk is on fire");
    });
    seen(&mut Ahead::of(burning, Head::default()), 0).1.unwrap();
}
