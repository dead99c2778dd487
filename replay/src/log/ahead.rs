//! Verifying records some ahead of whoever folds them.

use tagstone_schema::{Head, Record};

use super::chain::{Broken, BrokenWhy, Chain};
use super::{StoreError, StoredRecord};

/// Records that are verified at once: what they look up fits into the nearest caches of a processor, that of addresses too, and they
/// themselves into 1 MiB. With 64 a replay takes a seventh longer.
const AT_ONCE: usize = 16;

/// Verified records, a few at once, so that a fold can [foresee](crate::fold::State::foresee) what they will look up.
pub struct Ahead<I> {
    stored: I,
    chain: Chain,
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
        Self { stored, chain: Chain::after(known), broken: None }
    }

    /// The last verified record.
    pub fn head(&self) -> Head {
        self.chain.head()
    }

    /// What is wrong with the record behind the last one.
    pub fn broken(self) -> Option<Broken> {
        self.broken
    }

    fn verified(&mut self, stored: Result<StoredRecord, StoreError>) -> Result<Sound, Broken> {
        let before = self.chain.head();
        let unreadable = |error: StoreError| BrokenWhy::Unreadable(error.to_string());
        let stored = stored.map_err(|error| Broken { seq: before.seq.saturating_add(1), why: unreadable(error) })?;
        let record = self.chain.next(&stored)?;
        Ok(Sound { before, head: self.chain.head(), record, bytes: stored.bytes })
    }
}

impl<I: Iterator<Item = Result<StoredRecord, StoreError>>> Iterator for Ahead<I> {
    type Item = Vec<Sound>;

    /// Nothing follows the first record that is not sound.
    fn next(&mut self) -> Option<Vec<Sound>> {
        let mut sound = Vec::with_capacity(AT_ONCE);
        while self.broken.is_none()
            && sound.len() < AT_ONCE
            && let Some(stored) = self.stored.next()
        {
            match self.verified(stored) {
                Ok(verified) => sound.push(verified),
                Err(broken) => self.broken = Some(broken),
            }
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
    fn stored(astray: Seq) -> Vec<Result<StoredRecord, StoreError>> {
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
        (1..=200).map(next).collect()
    }

    #[test]
    fn all_that_is_sound_comes_in_order_and_what_is_not_ends_it() {
        for (astray, sound) in [(1, 0), (16, 15), (17, 16), (18, 17), (150, 149), (0, 200)] {
            let mut ahead = Ahead::of(stored(astray).into_iter(), Head::default());
            let mut head = Head::default();
            let seqs: Vec<_> = ahead
                .by_ref()
                .flatten()
                .map(|next| {
                    assert_eq!(std::mem::replace(&mut head, next.head), next.before);
                    next.record.seq
                })
                .collect();
            assert!(seqs.into_iter().eq(1..=sound), "{astray}");
            assert_eq!((ahead.head(), ahead.next().is_none()), (head, true));
            assert_eq!(ahead.broken().map(|broken| broken.seq), Some(astray).filter(|astray| *astray > 0));
        }
    }
}
