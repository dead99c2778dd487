//! Questions to the archive, which reads from the disk.

use std::sync::Arc;

use tagstone_replay::audit::{Archive, ArchiveError, FilterError};
use tokio::sync::Semaphore;

use super::error::{ApiRefusal, ErrorType};
use crate::history::HistoryError;
use crate::http::exchange::Exchange;

/// How many are answered at a time. Each reads records and decodes them, which keeps a core busy; pushes and pulls go on
/// beside them.
const AT_ONCE: usize = 4;

/// Questions to the archive. They are answered on the blocking pool, a few at a time, in the order in which they come.
/// Clones are the same queue.
#[derive(Clone)]
pub(in crate::http) struct ArchiveQuestions(Arc<Semaphore>);

impl Default for ArchiveQuestions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
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

impl ArchiveQuestions {
    /// Waits for its turn, and answers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        answer: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let work = |error: &dyn std::error::Error| Unanswered::Work(error.to_string());
        let turn = self.0.clone().acquire_owned().await.map_err(|error| work(&error))?;
        // The turn goes along: a client that goes away does not end the work, so it must not make room for more.
        let answering = tokio::task::spawn_blocking(move || {
            let answer = answer();
            drop(turn);
            answer
        });
        answering.await.map_err(|error| work(&error))?
    }
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
