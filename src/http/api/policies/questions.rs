//! Questions that take long to answer.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::super::error::{ApiRefusal, ErrorType};

/// How many are answered at a time. A preview of a large registry, or a comparison of large patterns, keeps a core busy
/// for a second or two, and reads and writes go on beside it.
const AT_ONCE: usize = 2;

/// Questions about whole scopes, about all that patterns can mean, or about many records of the log. They are answered
/// on the blocking pool, a few at a time, however many ask.
pub(in crate::http) struct LongQuestions(Arc<Semaphore>);

impl Default for LongQuestions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl LongQuestions {
    /// Waits for its turn, and answers.
    pub(in crate::http::api) async fn ask<T: Send + 'static>(
        &self,
        answer: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiRefusal> {
        let turn = self.0.clone().acquire_owned().await.map_err(|error| unanswered(&error))?;
        // The turn goes along: a client that goes away does not end the work, so it must not make room for more.
        let work = tokio::task::spawn_blocking(move || {
            let answer = answer();
            drop(turn);
            answer
        });
        work.await.map_err(|error| unanswered(&error))
    }
}

fn unanswered(error: &(dyn std::error::Error + 'static)) -> ApiRefusal {
    tracing::error!(error, "a question that takes long could not be answered");
    ApiRefusal::new(ErrorType::InternalError, "the question could not be answered; the log of the registry says why")
}
