//! The one writer: a thread that takes all that waits as one batch, decides, commits, publishes and answers.

mod handle;
mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tagstone_replay::log::{AppendError, Log};
use tagstone_schema::{Actor, Digest, Head, Origin, Timestamp};
use tokio::sync::mpsc;

use super::clock::Clock;
use super::expiry::ExpiryWatch;
use super::published::{Published, Snapshot};
use super::read_only::{ReadOnly, Writing};
use super::refusals::{RefusalReason, Refusals, recorder};
pub use handle::{Committed, WriteError, WriterHandle};
use handle::{Message, Waiting};
use plan::Plan;

/// Where the bytes that travel with a batch are made durable.
pub trait BatchBytes: Send {
    /// Stores small contents, and makes the renames of larger ones durable. All of it survives a loss of power when
    /// this returns.
    fn store(&mut self, contents: &[(Digest, Bytes)], renamed: &[Digest]) -> std::io::Result<()>;
}

/// What the writer tells of its work, for metrics.
pub trait Progress: Send {
    /// A batch was committed.
    fn batch(&mut self, commands: usize, records: usize, sync: Duration, head: Head);
    /// A command was rejected by a rule.
    fn refused(&mut self, reason: RefusalReason);
    /// The writer accepts nothing more.
    fn poisoned(&mut self);
}

/// Bounds of the writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterSettings {
    /// The most commands of one batch.
    pub batch: usize,
    /// The most commands that wait; further requests wait for a place.
    pub queue: usize,
}

/// The writer itself.
pub struct Writer {
    log: Box<dyn Log>,
    bytes: Box<dyn BatchBytes>,
    clock: Arc<dyn Clock>,
    progress: Box<dyn Progress>,
    published: Published,
    queue: mpsc::Receiver<Message>,
    writing: Writing,
    batch: usize,
    expiry: ExpiryWatch,
    refusals: Arc<Refusals>,
}

impl Writer {
    /// A writer over a log whose fold is what `published` holds.
    pub fn new(
        log: Box<dyn Log>,
        bytes: Box<dyn BatchBytes>,
        clock: Arc<dyn Clock>,
        progress: Box<dyn Progress>,
        published: Published,
        settings: WriterSettings,
    ) -> (Self, WriterHandle) {
        let (sender, queue) = mpsc::channel(settings.queue);
        let writing = Writing::default();
        let refusals = Arc::new(Refusals::behind(published.load().head.seq));
        let handle = WriterHandle { queue: sender, writing: writing.clone(), refusals: refusals.clone() };
        let (batch, expiry) = (settings.batch, ExpiryWatch::default());
        (Self { log, bytes, clock, progress, published, queue, writing, batch, expiry, refusals }, handle)
    }

    /// Works until every handle is gone, records what was refused last, and returns the log. After a failed write it
    /// still answers, and refuses all.
    pub fn run(mut self) -> Box<dyn Log> {
        let mut batch = Vec::new();
        while let Some(first) = self.queue.blocking_recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                if let Message::Command(waiting) = message {
                    batch.push(*waiting);
                }
                next = if batch.len() < self.batch { self.queue.try_recv().ok() } else { None };
            }
            loop {
                // A panic below (in the store, in a decision) leaves unknown what was written, like a failed write. The
                // writer must not die of it: readers and probes would see a registry that merely never answers.
                if catch_unwind(AssertUnwindSafe(|| self.commit(&mut batch))).is_err() {
                    self.poison(&mut batch, "a panic during a commit");
                }
                if batch.is_empty() {
                    break;
                }
            }
        }
        let recorded = catch_unwind(AssertUnwindSafe(|| self.record_refusals(self.clock.now())));
        if let Err(why) = recorded.unwrap_or_else(|_| Err("a panic".to_owned())) {
            tracing::error!(why, "the last refused attempts could not be recorded");
        }
        self.log
    }

    /// Commits the batch, or the first part of it.
    fn commit(&mut self, batch: &mut Vec<Waiting>) {
        let now = self.clock.now();
        if let Some(why) = self.writing.ended() {
            batch.drain(..).for_each(|waiting| waiting.reply(Err(WriteError::Poisoned(why.clone())), now));
            return;
        }
        if let Err(why) = self.end_expired(now) {
            return self.poison(batch, &why);
        }
        if self.refusals.is_due(now)
            && let Err(why) = self.record_refusals(now)
        {
            return self.poison(batch, &why);
        }
        let base = self.published.snapshot();
        let plan = loop {
            match Plan::of(batch, &base, now) {
                Ok(plan) => break plan,
                // The state that the illegal event has touched is thrown away with the plan, and the rest of the
                // batch is planned anew without it.
                Err((bug, why)) => batch.remove(bug).reply(Err(WriteError::Bug(why)), now),
            }
        };
        let began = Instant::now();
        match self.make_durable(&base.head, batch, &plan) {
            Ok(()) => {
                if !plan.records.is_empty() {
                    self.progress.batch(plan.outcomes.len(), plan.records.len(), began.elapsed(), plan.head);
                    self.published.publish(Snapshot { state: plan.state.clone(), head: plan.head });
                }
                let committed = plan.outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
                committed.flat_map(|committed| &committed.events).for_each(|event| self.expiry.look_again(event));
                self.gather_refusals(batch, &plan, now);
                // Dying here: the change is committed and was seen by readers, but its client has no answer; it may
                // repeat the request safely.
                plan.answer(batch, now);
            }
            Err(why) => self.poison(batch, &why),
        }
    }

    /// Ends the tags whose time has come, so that whatever is decided next finds them gone.
    fn end_expired(&mut self, now: Timestamp) -> Result<(), String> {
        loop {
            let base = self.published.snapshot();
            let due = self.expiry.due(&base.state, now);
            if due.is_empty() {
                return Ok(());
            }
            let mut plan = Plan::empty(&base);
            for events in due {
                if let Err(why) = plan.add(&Actor::system("expiry"), &Origin::default(), events, now)? {
                    return Err(why.to_string());
                }
            }
            let began = Instant::now();
            self.log.append(&base.head, &plan.records).map_err(|error| error.to_string())?;
            self.progress.batch(0, plan.records.len(), began.elapsed(), plan.head);
            // Dying here: the records are durable; before, the next start finds the tags due again.
            self.published.publish(Snapshot { state: plan.state, head: plan.head });
        }
    }

    /// Writes down what was refused since the last time.
    fn record_refusals(&mut self, now: Timestamp) -> Result<(), String> {
        if self.writing.ended().is_some() {
            return Ok(());
        }
        let Some(event) = self.refusals.take_pending() else { return Ok(()) };
        let base = self.published.snapshot();
        let mut plan = Plan::empty(&base);
        if let Err(why) = plan.add(&recorder(), &Origin::default(), vec![event], now)? {
            return Err(why.to_string());
        }
        let began = Instant::now();
        // Dying before or in here: what was refused in the last minute is forgotten. It changed nothing.
        self.log.append(&base.head, &plan.records).map_err(|error| error.to_string())?;
        self.progress.batch(0, plan.records.len(), began.elapsed(), plan.head);
        self.published.publish(Snapshot { state: plan.state, head: plan.head });
        Ok(())
    }

    fn gather_refusals(&mut self, batch: &[Waiting], plan: &Plan, now: Timestamp) {
        for (waiting, outcome) in batch.iter().zip(&plan.outcomes) {
            if let Err(WriteError::Rejected(rejection)) = outcome
                && let Some(reason) = RefusalReason::of(rejection)
            {
                self.progress.refused(reason);
                self.refusals.gather(&waiting.submission, rejection, now);
            }
        }
    }

    fn poison(&mut self, batch: &mut Vec<Waiting>, why: &str) {
        tracing::error!(why, "the writer is poisoned: the registry is read-only until it is restarted");
        self.writing.end(ReadOnly::WriteFailed);
        self.progress.poisoned();
        let now = self.clock.now();
        batch.drain(..).for_each(|waiting| waiting.reply(Err(WriteError::Poisoned(ReadOnly::WriteFailed)), now));
    }

    fn make_durable(&mut self, head: &Head, batch: &[Waiting], plan: &Plan) -> Result<(), String> {
        let accepted = || batch.iter().zip(&plan.outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(one, _)| one);
        let contents: Vec<_> = accepted().flat_map(|one| one.submission.contents.iter().cloned()).collect();
        let renamed: Vec<_> = accepted().flat_map(|one| one.submission.renamed.iter().cloned()).collect();
        // Also where no event follows: a push of what is known already brings back bytes that were lost.
        self.bytes.store(&contents, &renamed).map_err(|error| format!("storing content failed: {error}"))?;
        if plan.records.is_empty() {
            return Ok(());
        }
        // Dying here: bytes without a record, which nothing references; collection finds them.
        self.log.append(head, &plan.records).map_err(|error| match error {
            AppendError::Conflict { .. } => format!("another writer has written to the log: {error}"),
            AppendError::Store(error) => error.to_string(),
        })
        // Dying here: the records are durable, and the next start publishes them.
    }
}
