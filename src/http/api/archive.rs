//! Questions to the archive, which reads from the disk.

use std::sync::Arc;
use std::time::Instant;

use tagstone_replay::audit::{Archive, ArchiveError, FilterError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::{ApiRefusal, ErrorType};
use crate::history::HistoryError;
use crate::http::exchange::Exchange;

/// How many are answered at a time. Each reads records and decodes them, which keeps a core busy; pushes and pulls go on
/// beside them.
const AT_ONCE: usize = 4;

/// Questions to the archive. They are answered on the blocking pool, a few at a time, in the order in which they come.
/// Clones are the same queue.
///
/// What streams read to catch up with a long log is a queue of its own before that one: a portion at a time in the whole
/// process, and then a rest. However many streams there are, it takes half a core at most, and one place of the few.
#[derive(Clone)]
pub(in crate::http) struct ArchiveQuestions {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Default for ArchiveQuestions {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), turn: Arc::new(Semaphore::new(1)) }
    }
}

/// Why the archive has not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// It cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What it says cannot be written down.
    #[error(transparent)]
    Text(#[from] serde_json::Error),
    /// The work ended by itself.
    #[error("the question was not answered: {0}")]
    Work(String),
}

/// The turn of those who catch up.
pub(super) struct Turn(OwnedSemaphorePermit);

impl ArchiveQuestions {
    /// Waits for its turn, and answers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        answer: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let place = self.places.clone().acquire_owned().await.map_err(|error| unanswered(&error))?;
        // The place goes along: a client that goes away does not end the work, so it must not make room for more.
        let answering = tokio::task::spawn_blocking(move || {
            let answer = answer();
            drop(place);
            answer
        });
        answering.await.map_err(|error| unanswered(&error))?
    }

    /// Waits for the turn of those who catch up. It is to be used at once.
    pub(super) async fn turn(&self) -> Result<Turn, Unanswered> {
        Ok(Turn(self.turn.clone().acquire_owned().await.map_err(|error| unanswered(&error))?))
    }

    /// Answers who has the turn. It is passed on after a rest as long as the work.
    pub(super) async fn ask_in_turn<T: Send + 'static>(
        &self,
        turn: Turn,
        answer: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let place = self.places.clone().acquire_owned().await.map_err(|error| unanswered(&error))?;
        let (answered, answering) = oneshot::channel();
        // Both go along, as above. A client that goes away must not shorten the rest either.
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            // Nobody listens any more where the client has gone away.
            let _ = answered.send(answer());
            drop(place);
            std::thread::sleep(began.elapsed());
            drop(turn.0);
        });
        answering.await.map_err(|error| unanswered(&error))?
    }
}

fn unanswered(error: &dyn std::error::Error) -> Unanswered {
    Unanswered::Work(error.to_string())
}

/// The archive with everything that was committed before the request came.
pub(super) async fn archive(exchange: &Exchange<'_>) -> Result<Archive, ApiRefusal> {
    let seq = exchange.site.published.load().head.seq;
    Ok(exchange.site.history.archive(seq).await?)
}

impl From<Unanswered> for ApiRefusal {
    fn from(error: Unanswered) -> Self {
        tracing::error!(%error, "the archive cannot be read");
        match error {
            Unanswered::Archive(error) => HistoryError::from(error).into(),
            Unanswered::Text(_) | Unanswered::Work(_) => {
                Self::new(ErrorType::InternalError, "the history cannot be read; the log of the registry says why")
            }
        }
    }
}

impl From<FilterError> for ApiRefusal {
    fn from(error: FilterError) -> Self {
        Self::invalid_request(error.to_string())
    }
}
