//! The seams of the writer, as tests have them: a clock that is set, bytes that are kept or refused, and a look at
//! every step of a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tagstone::registry::{BatchBytes, Clock, Progress, RefusalReason};
use tagstone_replay::log::{AppendError, Log, RecordBytes};
use tagstone_schema::{Digest, EncodedRecord, Head, Seq, Timestamp};

/// A clock that stands still until it is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    pub(crate) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// What storing bytes does next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Storing {
    #[default]
    Works,
    Fails,
    Panics,
}

/// Bytes in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeBytes(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) contents: BTreeMap<Digest, Bytes>,
    pub(crate) renamed: BTreeSet<Digest>,
    pub(crate) next: Storing,
    pub(crate) calls: usize,
}

impl FakeBytes {
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl BatchBytes for FakeBytes {
    fn store(&mut self, contents: &[(Digest, Bytes)], renamed: &[Digest]) -> io::Result<()> {
        let mut kept = self.kept();
        kept.calls += 1;
        match kept.next {
            Storing::Works => {}
            Storing::Fails => return Err(io::Error::other("the disk is gone")),
            Storing::Panics => panic!("a bug in the store (on purpose)"),
        }
        kept.contents.extend(contents.iter().cloned());
        kept.renamed.extend(renamed.iter().cloned());
        Ok(())
    }
}

/// A point of the commit sequence, at which a process could die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Decided; nothing is written.
    Storing,
    /// The bytes are durable.
    Stored,
    /// No record is written.
    Appending,
    /// The records and the anchor are durable; nothing is published.
    Appended,
}

/// What is done at each step, in the writer's thread.
pub(crate) type AtStep = Arc<Mutex<dyn FnMut(Step) + Send>>;

/// A log or a store of bytes whose steps are watched.
pub(crate) struct Watched<T> {
    pub(crate) inner: T,
    pub(crate) at: AtStep,
}

impl<T> Watched<T> {
    fn at(&self, step: Step) {
        (self.at.lock().unwrap())(step);
    }
}

impl<B: BatchBytes> BatchBytes for Watched<B> {
    fn store(&mut self, contents: &[(Digest, Bytes)], renamed: &[Digest]) -> io::Result<()> {
        self.at(Step::Storing);
        self.inner.store(contents, renamed)?;
        self.at(Step::Stored);
        Ok(())
    }
}

impl<L: Log> Log for Watched<L> {
    fn head(&self) -> Head {
        self.inner.head()
    }

    fn read(&self, from: Seq) -> RecordBytes<'_> {
        self.inner.read(from)
    }

    fn append(&mut self, expected: &Head, records: &[EncodedRecord]) -> Result<(), AppendError> {
        self.at(Step::Appending);
        self.inner.append(expected, records)?;
        self.at(Step::Appended);
        Ok(())
    }
}

/// How many records each batch had, and how often the writer was poisoned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) Arc<Mutex<(Vec<usize>, usize)>>);

impl Progress for Tally {
    fn batch(&mut self, _: usize, records: usize, _: Duration, _: Head) {
        self.0.lock().unwrap().0.push(records);
    }

    fn refused(&mut self, _: RefusalReason) {}

    fn poisoned(&mut self) {
        self.0.lock().unwrap().1 += 1;
    }
}
