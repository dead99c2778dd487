//! Verifying records some ahead of whoever folds them, and beside him where the machine has a core for it.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use tagstone_schema::fragment::Start;
use tagstone_schema::record::ChainError;
use tagstone_schema::{Head, Record, RecordHash};

use super::chain::{Broken, BrokenWhy, Chain};
use super::{StoreError, StoredRecord};

/// Records that are verified at once: what they look up fits into the nearest caches of a processor, that of addresses too, and they
/// themselves into 1 MiB. With four times as many a replay takes longer.
const AT_ONCE: usize = 16;

/// Records that are hashed at once. The more there are, the more of about the same length are among them, which are hashed together.
const HASHED: usize = 4 * AT_ONCE;

/// How many times so many are handed from thread to thread together, and how often that may have happened before the first of
/// them is looked at. Handed over one by one, two threads would wake each other all the time.
const TOGETHER: usize = 16;
const WAITING: usize = 4;

/// Bytes of records after which they are handed over although they are few: with those that wait, a few MiB.
const BYTES_TOGETHER: usize = 512 * 1024;

/// Verified records, a few at once, so that a fold can [foresee](crate::fold::State::foresee) what they will look up.
pub struct Ahead<I> {
    stored: I,
    /// Records that were read and hashed, and why the one behind them could not be read.
    hashed: VecDeque<(StoredRecord, RecordHash)>,
    unreadable: Option<BrokenWhy>,
    is_end: bool,
    chain: Chain,
    /// A verified record that is not handed out before the next ones are: they tell whether it was altered.
    held: Option<Sound>,
    end: Option<Head>,
    broken: Option<Broken>,
}

/// A record that is sound.
#[derive(Debug)]
pub struct Sound {
    /// The head of the log before it.
    pub before: Head,
    /// The head with it.
    pub head: Head,
    /// The record.
    pub record: Record,
    /// Its stored bytes.
    pub bytes: Vec<u8>,
}

impl<I: Iterator<Item = Result<StoredRecord, StoreError>>> Ahead<I> {
    /// The stored records behind `known`.
    pub fn of(stored: I, known: Head) -> Self {
        let (chain, hashed) = (Chain::after(known), VecDeque::with_capacity(HASHED));
        Self { stored, hashed, unreadable: None, is_end: false, chain, held: None, end: None, broken: None }
    }

    /// This record is known to have been there, from outside of the log.
    pub fn with_end(self, end: Option<Head>) -> Self {
        Self { end, ..self }
    }

    /// The last verified record.
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    /// What is wrong with the record behind the last one.
    pub fn broken(self) -> Option<Broken> {
        self.broken
    }

    /// Hands all that is sound to `see`, in order and a few records at once, until that refuses. Where there is more than one
    /// core, they are read and verified on a thread of their own meanwhile; nothing but time follows from that.
    pub fn each<E>(&mut self, mut see: impl FnMut(Vec<Sound>) -> Result<(), E>) -> Result<(), E>
    where
        I: Send,
    {
        let is_alone = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        let seen = if is_alone { None } else { self.each_beside(&mut see) };
        // Without a second thread, all of them are still to come.
        seen.unwrap_or_else(|| self.try_for_each(see))
    }

    /// None if no thread can be had.
    fn each_beside<E>(&mut self, see: &mut impl FnMut(Vec<Sound>) -> Result<(), E>) -> Option<Result<(), E>>
    where
        I: Send,
    {
        thread::scope(|threads| {
            let (sender, receiver) = sync_channel(WAITING);
            // Nobody receives any more where `see` has refused or panicked.
            let verify = move || while self.together().is_some_and(|records| sender.send(records).is_ok()) {};
            let verifying = thread::Builder::new().name("verifying".to_owned()).spawn_scoped(threads, verify).ok()?;
            let seen = receiver.into_iter().flatten().try_for_each(see);
            // A panic over there goes on here as it would have without the thread.
            verifying.join().unwrap_or_else(|panic| resume_unwind(panic));
            Some(seen)
        })
    }

    /// What is handed over together; none at the end.
    fn together(&mut self) -> Option<Vec<Vec<Sound>>> {
        let mut together = Vec::with_capacity(TOGETHER);
        let mut bytes = 0;
        while together.len() < TOGETHER
            && bytes < BYTES_TOGETHER
            && let Some(sound) = self.next()
        {
            bytes += sound.iter().map(|sound| sound.bytes.len()).sum::<usize>();
            together.push(sound);
        }
        (!together.is_empty()).then_some(together)
    }

    /// Reads and hashes the next records, when there are none left.
    fn read(&mut self) {
        if self.is_end || !self.hashed.is_empty() {
            return;
        }
        let mut read = Vec::with_capacity(HASHED);
        while read.len() < HASHED
            && let Some(next) = self.stored.next()
        {
            match next {
                Ok(next) => read.push(next),
                Err(error) => {
                    self.unreadable = Some(BrokenWhy::Unreadable(error.to_string()));
                    break;
                }
            }
        }
        self.is_end = read.len() < HASHED;
        let hashes = RecordHash::of_each(&read.iter().map(|stored| &stored.bytes[..]).collect::<Vec<_>>());
        self.hashed.extend(read.into_iter().zip(hashes));
    }

    // Otherwise the record is moved once more.
    #[inline(always)]
    fn verified(&mut self, stored: StoredRecord, hash: RecordHash) -> Result<Sound, Broken> {
        let before = self.chain.head();
        let record = self.chain.next_hashed(&stored, hash)?;
        Ok(Sound { before, head: self.chain.head(), record, bytes: stored.bytes })
    }

    /// A record with this hash does not name the one before it, the last of `sound`. Which of the two was altered? Where what stands
    /// outside of the log says so, or the record behind names this one, it is the one before, which is believed no longer.
    fn blamed(
        &mut self,
        broken: Broken,
        hash: RecordHash,
        behind: Option<StoredRecord>,
        sound: &mut Vec<Sound>,
    ) -> Broken {
        let BrokenWhy::Chain(ChainError::Prev { expected, found, .. }) = broken.why else { return broken };
        let is_altered = match self.end {
            // What stands outside of the log decides, where it is about one of the two.
            Some(end) if end.seq.saturating_add(1) == broken.seq && [expected, found].contains(&end.hash) => {
                end.hash == found
            }
            Some(end) if end.seq == broken.seq => end.hash == hash,
            _ => behind.is_some_and(|behind| {
                Start::of(&behind.bytes).is_some_and(|start| {
                    start.seq == behind.seq && start.seq == broken.seq.saturating_add(1) && start.prev == hash
                })
            }),
        };
        match sound.pop_if(|_| is_altered) {
            Some(altered) => {
                self.chain = Chain::after(altered.before);
                let why = BrokenWhy::Altered { by: broken.seq, named: found, found: expected };
                Broken { seq: altered.head.seq, why }
            }
            None => broken,
        }
    }
}

impl<I: Iterator<Item = Result<StoredRecord, StoreError>>> Iterator for Ahead<I> {
    type Item = Vec<Sound>;

    /// Nothing follows the first record that is not sound.
    fn next(&mut self) -> Option<Vec<Sound>> {
        if self.broken.is_some() {
            return None;
        }
        self.read();
        let mut sound = Vec::with_capacity(AT_ONCE + 1);
        sound.extend(self.held.take());
        for _ in 0..AT_ONCE {
            let Some((stored, hash)) = self.hashed.pop_front() else { break };
            match self.verified(stored, hash) {
                Ok(verified) => sound.push(verified),
                Err(broken) => {
                    let behind = self.hashed.pop_front().map(|(behind, _)| behind);
                    let behind = behind.or_else(|| self.stored.next().and_then(Result::ok));
                    self.broken = Some(self.blamed(broken, hash, behind, &mut sound));
                    break;
                }
            }
        }
        let is_end = self.is_end && self.hashed.is_empty();
        if is_end && self.broken.is_none() {
            let seq = self.chain.head().seq.saturating_add(1);
            self.broken = self.unreadable.take().map(|why| Broken { seq, why });
        }
        if !is_end && self.broken.is_none() {
            self.held = sound.pop();
        }
        (!sound.is_empty()).then_some(sound)
    }
}

#[cfg(test)]
mod tests {
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
        for (astray, sound) in
            [(1, 0), (16, 15), (17, 16), (18, 17), (64, 63), (65, 64), (66, 65), (2900, 2899), (0, 3000)]
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
}
