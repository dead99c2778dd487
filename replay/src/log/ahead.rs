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

/// Records that are decoded and handed out at once: what they look up fits into the nearest caches of a processor, that of addresses
/// too. With four times as many a replay takes longer.
const AT_ONCE: usize = 16;

/// Records that are read and hashed at once, unless they are long. The more there are, the more of about the same length are among
/// them, which are hashed together.
const HASHED: usize = 4 * AT_ONCE;

/// How many times so many are handed from thread to thread together, and how often that may have happened before the first of
/// them is looked at. Handed over one by one, two threads would wake each other all the time.
const TOGETHER: usize = 16;
const WAITING: usize = 4;

/// Bytes of records after which they are hashed or handed over although they are few: with those that wait, a few MiB.
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
        let mut bytes = 0;
        while read.len() < HASHED && bytes < BYTES_TOGETHER && !self.is_end {
            match self.stored.next() {
                Some(Ok(next)) => {
                    bytes += next.bytes.len();
                    read.push(next);
                }
                Some(Err(error)) => {
                    self.unreadable = Some(BrokenWhy::Unreadable(error.to_string()));
                    self.is_end = true;
                }
                None => self.is_end = true,
            }
        }
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
mod tests;
