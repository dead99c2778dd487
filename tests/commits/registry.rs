//! A registry without a network: a log, its fold, and the writer.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tagstone::registry::{
    Committed, Published, Rejection, Snapshot, Submission, WriteError, Writer, WriterHandle, WriterSettings,
};
use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::chain::Chain;
use tagstone_replay::log::memory::MemoryLog;
use tagstone_replay::log::{EmbeddedLog, Log, OpenError, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Head, Id, Origin, Record, Seq, Timestamp};

use crate::fake_disk::{AtStep, FakeBytes, FakeClock, Tally, Watched};

/// When the logs of these tests begin.
pub(crate) const START: i64 = 1_000_000;

/// An answer of the writer, to be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Committed(Seq),
    Unchanged,
    Rejected(Rejection),
    Poisoned,
    Stopped,
    Bug,
}

impl From<Result<Committed, WriteError>> for Answer {
    fn from(result: Result<Committed, WriteError>) -> Self {
        match result {
            Ok(Committed { seq: Some(seq), .. }) => Self::Committed(seq),
            Ok(Committed { seq: None, .. }) => Self::Unchanged,
            Err(WriteError::Rejected(rejection)) => Self::Rejected(rejection),
            Err(WriteError::Poisoned(_)) => Self::Poisoned,
            Err(WriteError::Stopped) => Self::Stopped,
            Err(WriteError::Bug(_)) => Self::Bug,
        }
    }
}

/// A command in the queue.
pub(crate) type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A registry whose writer does not work yet: what is queued first is one batch.
pub(crate) struct Registry {
    writer: Option<Writer>,
    working: Option<JoinHandle<()>>,
    pub(crate) handle: WriterHandle,
    pub(crate) published: Published,
    pub(crate) clock: FakeClock,
    pub(crate) bytes: FakeBytes,
    pub(crate) tally: Tally,
}

impl Registry {
    /// Over a log that is open already.
    pub(crate) fn over(log: impl Log + 'static, snapshot: Snapshot, batch: usize) -> Self {
        Self::watched(log, snapshot, batch, Arc::new(Mutex::new(|_| {})))
    }

    /// The same, with a look at every step of each commit.
    pub(crate) fn watched(log: impl Log + 'static, snapshot: Snapshot, batch: usize, at: AtStep) -> Self {
        Self::storing(log, snapshot, batch, at, FakeBytes::default())
    }

    /// The same, over bytes that an earlier one has left.
    pub(crate) fn storing(
        log: impl Log + 'static,
        snapshot: Snapshot,
        batch: usize,
        at: AtStep,
        bytes: FakeBytes,
    ) -> Self {
        let (clock, tally) = (FakeClock::default(), Tally::default());
        let published = Published::new(snapshot);
        let (writer, handle) = Writer::new(
            Box::new(Watched { inner: log, at: at.clone() }),
            Box::new(Watched { inner: bytes.clone(), at }),
            Arc::new(clock.clone()),
            Box::new(tally.clone()),
            published.clone(),
            WriterSettings { batch, queue: 1_000 },
        );
        Self { writer: Some(writer), working: None, handle, published, clock, bytes, tally }
    }

    /// Over a new log in memory.
    pub(crate) fn in_memory(batch: usize) -> (Self, MemoryLog) {
        let mut log = MemoryLog::default();
        begin(&mut log);
        (Self::over(log.clone(), folded(&log), batch), log)
    }

    /// Puts a command into the queue.
    pub(crate) fn queue(&self, submission: Submission) -> Waiting {
        let handle = self.handle.clone();
        let mut waiting: Waiting = Box::pin(async move { handle.submit(submission).await.into() });
        match (&mut waiting).now_or_never() {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => waiting,
        }
    }

    /// Lets the writer work, until every handle is gone.
    pub(crate) fn start(&mut self) {
        let writer = self.writer.take().unwrap();
        self.working = Some(std::thread::spawn(move || drop(writer.run())));
    }

    /// Ends the writer, and with it the log.
    pub(crate) fn stop(self) {
        drop(self.handle);
        if let Some(working) = self.working {
            working.join().unwrap();
        }
    }

    /// Commits these commands as the first ones, in batches as large as the settings allow.
    pub(crate) fn commit(&mut self, submissions: Vec<Submission>) -> Vec<Answer> {
        let waiting: Vec<_> = submissions.into_iter().map(|submission| self.queue(submission)).collect();
        self.start();
        answers(waiting)
    }

    /// Commits one more command.
    pub(crate) fn submit(&self, submission: Submission) -> Answer {
        block_on(self.handle.submit(submission)).into()
    }

    /// What readers see.
    pub(crate) fn seen(&self) -> (Head, String) {
        let snapshot = self.published.snapshot();
        (snapshot.head, snapshot.state.fingerprint().to_string())
    }
}

pub(crate) fn answers(waiting: Vec<Waiting>) -> Vec<Answer> {
    block_on(join_all(waiting))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Writes the first record of a log.
pub(crate) fn begin(log: &mut impl Log) {
    write(log, vec![Event::LogStarted { log: Id([1; 16]) }]);
}

/// Writes one record, as something before this test has.
pub(crate) fn write(log: &mut impl Log, events: Vec<Event>) {
    let head = log.head();
    let record = Record {
        format: FORMAT_VERSION,
        seq: head.seq + 1,
        time: Timestamp(START).max(head.time.next()),
        prev: head.hash,
        actor: Actor::system("test"),
        origin: Origin::default(),
        events,
    };
    log.append(&head, &[record.encode().unwrap()]).unwrap();
}

/// The verified records of a log.
pub(crate) fn records(log: &impl Log) -> Vec<Record> {
    let mut chain = Chain::default();
    log.read(1).map(|stored| chain.next(&stored.unwrap()).unwrap()).collect()
}

/// The fold of a log from its first record on.
pub(crate) fn folded(log: &impl Log) -> Snapshot {
    let mut state = State::default();
    for record in records(log) {
        state.apply(&record).unwrap();
    }
    Snapshot { state, head: log.head() }
}

/// Head and fingerprint of a log, to be compared with what readers see.
pub(crate) fn told_by(log: &impl Log) -> (Head, String) {
    let snapshot = folded(log);
    (snapshot.head, snapshot.state.fingerprint().to_string())
}

/// Opens the log of a data directory as a start does.
pub(crate) fn open(layout: &Layout) -> Result<(EmbeddedLog, Snapshot), OpenError> {
    for _ in 0..500 {
        let mut state = State::default();
        match EmbeddedLog::open(layout, Options::default(), &mut |record| state.apply(record)) {
            // sled's own threads may hold its lock for a moment after the log was dropped. A process that starts anew
            // never meets that.
            Err(OpenError::Unusable { why, .. }) if why.contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(error) => return Err(error),
            Ok(opened) => {
                let head = opened.log.head();
                return Ok((opened.log, Snapshot { state, head }));
            }
        }
    }
    panic!("the lock of {} is held for ever", layout.log().display());
}
