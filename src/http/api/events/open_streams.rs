//! How many streams there are, and how all of them end.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::http::api::error::{ApiRefusal, ErrorType};
use crate::limit::Limit;

/// The open streams.
pub(in crate::http) struct OpenStreams {
    free: Arc<Semaphore>,
    most: usize,
    ending: watch::Sender<Ending>,
}

/// Whether streams go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    Yes,
}

/// The right to be an open stream; it is given back when this is dropped.
pub(super) struct Opened {
    ending: watch::Receiver<Ending>,
    _permit: OwnedSemaphorePermit,
}

impl OpenStreams {
    /// Room for so many.
    pub(in crate::http) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(most)), most, ending: watch::Sender::new(Ending::No) }
    }

    /// One more, if there is room.
    pub(super) fn open(&self) -> Result<Opened, ApiRefusal> {
        let refusal = |why: String| {
            ApiRefusal::new(ErrorType::Unavailable, why).with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
        };
        if *self.ending.borrow() == Ending::Yes {
            return Err(refusal("the registry stops; no stream begins any more".to_owned()));
        }
        let permit = self.free.clone().try_acquire_owned().map_err(|_| {
            refusal(format!(
                "all {} streams that there may be are open (`limits.event_streams`); try again later",
                self.most
            ))
            .by(Limit::EventStreams)
        })?;
        Ok(Opened { ending: self.ending.subscribe(), _permit: permit })
    }

    /// Ends all of them, for good.
    pub(in crate::http) fn end(&self) {
        self.ending.send_replace(Ending::Yes);
    }
}

impl Opened {
    /// Whether the stream is to end.
    pub(super) fn is_ending(&self) -> bool {
        *self.ending.borrow() == Ending::Yes
    }

    /// Returns when the stream is to end.
    pub(super) async fn ends(&mut self) {
        // An error says that the site is gone, which is an end too.
        let _ = self.ending.wait_for(|ending| *ending == Ending::Yes).await;
    }
}
