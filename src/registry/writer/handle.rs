//! The way to the writer: what is submitted, and how it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tagstone_schema::{Event, Seq};
use tokio::sync::{mpsc, oneshot};

use crate::registry::command::Submission;
use crate::registry::refusals::Refusals;
use crate::registry::rejection::Rejection;

/// A command that was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The record, or none where nothing had to be changed.
    pub seq: Option<Seq>,
    /// What happened; nothing where nothing had to be changed.
    pub events: Vec<Event>,
}

/// Why a command was not committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The client's fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The store failed; it is unknown whether the change survived.
    #[error("the registry is read-only since a write to its disk failed; an operator has to restart it")]
    Poisoned,
    /// The registry is shutting down.
    #[error("the registry is shutting down")]
    Stopped,
    /// A decision that the fold calls illegal: a bug, and nothing was written.
    #[error("the change was refused by the registry's own check ({0}); please report this")]
    Bug(String),
}

pub(super) enum Message {
    Command(Box<Waiting>),
    /// Tags may have expired, and refused attempts may be due to be recorded.
    Wake,
}

pub(super) struct Waiting {
    pub(super) submission: Submission,
    pub(super) answer: oneshot::Sender<Result<Committed, WriteError>>,
}

/// The way to the writer. Clones are cheap.
#[derive(Clone)]
pub struct WriterHandle {
    pub(super) queue: mpsc::Sender<Message>,
    pub(super) poisoned: Arc<AtomicBool>,
    pub(super) refusals: Arc<Refusals>,
}

impl WriterHandle {
    /// Submits a command and waits for its commit. A caller that goes away does not take back its command.
    pub async fn submit(&self, submission: Submission) -> Result<Committed, WriteError> {
        let (answer, committed) = oneshot::channel();
        let waiting = Message::Command(Box::new(Waiting { submission, answer }));
        self.queue.send(waiting).await.map_err(|_| WriteError::Stopped)?;
        committed.await.unwrap_or(Err(WriteError::Poisoned))
    }

    /// [`WriterHandle::submit`] for a thread of one's own, which waits.
    pub fn submit_blocking(&self, submission: Submission) -> Result<Committed, WriteError> {
        let (answer, committed) = oneshot::channel();
        let waiting = Message::Command(Box::new(Waiting { submission, answer }));
        self.queue.blocking_send(waiting).map_err(|_| WriteError::Stopped)?;
        committed.blocking_recv().unwrap_or(Err(WriteError::Poisoned))
    }

    /// Asks the writer to do what only time demands: to end tags, and to record refused attempts. It does so before every
    /// command too; this is for the times in which there is none. Where the queue is full it has commands enough.
    pub fn wake(&self) {
        let _ = self.queue.try_send(Message::Wake);
    }

    /// The attempts that were refused since the start.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Whether writes are refused until a restart.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Refuses writes until a restart, since something was found that the log must not go on from.
    pub fn poison(&self, why: &str) {
        tracing::error!(why, "the registry is read-only until it is restarted");
        self.poisoned.store(true, Ordering::Release);
    }

    /// How many commands wait.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl Waiting {
    /// Answers whoever waits.
    pub(super) fn reply(self, outcome: Result<Committed, WriteError>) {
        // Nobody listens any more where the client has gone away; the commit stands all the same.
        let _ = self.answer.send(outcome);
    }
}
