//! The way to the writer: what is submitted, and how it is answered.

use std::sync::Arc;

use tagstone_schema::{Event, Seq, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::registry::command::Submission;
use crate::registry::read_only::{ReadOnly, Writing};
use crate::registry::refusals::Refusals;
use crate::registry::rejection::Rejection;

/// A command that was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The record, or none where nothing had to be changed.
    pub seq: Option<Seq>,
    /// The time of the record.
    pub time: Option<Timestamp>,
    /// What happened; nothing where nothing had to be changed.
    pub events: Vec<Event>,
}

/// Why a command was not committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The client's fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Nothing is written any more; where the store failed, it is unknown whether the change survived.
    #[error(transparent)]
    Poisoned(ReadOnly),
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
    pub(super) writing: Writing,
    pub(super) refusals: Arc<Refusals>,
}

impl WriterHandle {
    /// Submits a command and waits for its commit. A caller that goes away does not take back its command.
    pub async fn submit(&self, submission: Submission) -> Result<Committed, WriteError> {
        let (answer, committed) = oneshot::channel();
        let waiting = Message::Command(Box::new(Waiting { submission, answer }));
        self.queue.send(waiting).await.map_err(|_| WriteError::Stopped)?;
        committed.await.unwrap_or_else(|_| Err(self.unanswered()))
    }

    /// [`WriterHandle::submit`] for a thread of one's own, which waits.
    pub fn submit_blocking(&self, submission: Submission) -> Result<Committed, WriteError> {
        let (answer, committed) = oneshot::channel();
        let waiting = Message::Command(Box::new(Waiting { submission, answer }));
        self.queue.blocking_send(waiting).map_err(|_| WriteError::Stopped)?;
        committed.blocking_recv().unwrap_or_else(|_| Err(self.unanswered()))
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

    /// Whether anything is still written.
    pub fn writing(&self) -> &Writing {
        &self.writing
    }

    /// Whether writes are refused until a restart.
    pub fn is_poisoned(&self) -> bool {
        self.writing.ended().is_some()
    }

    /// Nothing, or why writes are refused until a restart: for those that are not written themselves, but lead to one.
    pub fn check(&self) -> Result<(), WriteError> {
        self.writing.ended().cloned().map_or(Ok(()), |why| Err(WriteError::Poisoned(why)))
    }

    /// The writer has gone without an answer.
    fn unanswered(&self) -> WriteError {
        WriteError::Poisoned(self.writing.ended().cloned().unwrap_or(ReadOnly::WriteFailed))
    }

    /// How many commands wait.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl Waiting {
    /// Answers whoever waits, and first sees to what comes of the outcome whether anybody waits or not.
    pub(super) fn reply(self, outcome: Result<Committed, WriteError>, now: Timestamp) {
        let Self { submission, answer } = self;
        if let Some(aftermath) = &submission.aftermath {
            aftermath.apply(&submission.command, &outcome, now);
        }
        // Who has the answer may remove at once what the command has reserved.
        drop(submission);
        // Nobody listens any more where the client has gone away; the commit stands all the same.
        let _ = answer.send(outcome);
    }
}
