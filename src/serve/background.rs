//! The threads beside the server.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tagstone_schema::Timestamp;

use crate::content::ContentStore;
use crate::registry::{Clock, Published, WriterHandle};

/// The writer, and what is done now and then.
pub(super) struct Background {
    pub(super) writing: JoinHandle<()>,
    /// Keeps the history.
    pub(super) following: JoinHandle<()>,
    pub(super) periodic: Vec<Periodic>,
}

impl Background {
    /// Ends what is done now and then, and waits for the writer, which ends when nobody holds a handle any more.
    pub(super) fn end(self) {
        self.periodic.into_iter().for_each(Periodic::end);
        if self.writing.join().is_err() {
            tracing::error!("the writer ended by a panic; what was acknowledged before is safe");
        }
        // It ends with the last one that could publish.
        if self.following.join().is_err() {
            tracing::error!("the thread of the history ended by a panic; its index is made anew at the next start");
        }
    }
}

/// Something that is done now and then, in a thread of its own.
pub(super) struct Periodic {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Periodic {
    fn spawn(name: &str, pause: Duration, mut act: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                act();
            }
        })?;
        Ok(Self { stop, thread })
    }

    fn end(self) {
        drop(self.stop);
        let name = self.thread.thread().name().map(str::to_owned);
        if self.thread.join().is_err() {
            tracing::error!(thread = name, "a background thread ended by a panic");
        }
    }
}

/// How long after its time an expired tag may still be without the event that says so. Readers do not see it meanwhile.
const TAG_EXPIRY_PAUSE: Duration = Duration::from_secs(1);

/// Wakes the writer when tags have expired and no command has come that would have.
pub(super) fn expire_tags(published: Published, clock: Arc<dyn Clock>, writer: WriterHandle) -> io::Result<Periodic> {
    Periodic::spawn("tag-expiry", TAG_EXPIRY_PAUSE, move || {
        let due = published.load().state.expiring(Timestamp(i64::MIN), clock.now()).next().is_some();
        if due {
            writer.expire();
        }
    })
}

/// Removes abandoned uploads.
pub(super) fn expire_uploads(content: Arc<ContentStore>, lifetime: Duration) -> io::Result<Periodic> {
    let pause = (lifetime / 10).clamp(Duration::from_millis(100), Duration::from_secs(60));
    Periodic::spawn("upload-expiry", pause, move || match content.uploads.expire(lifetime) {
        Ok(expired) => {
            if !expired.removed.is_empty() {
                tracing::info!(sessions = expired.removed.len(), "removed abandoned uploads");
            }
            for (session, error) in expired.failed {
                tracing::error!(%session, %error, "an abandoned upload cannot be removed");
            }
        }
        Err(error) => tracing::error!(%error, "abandoned uploads cannot be looked for"),
    })
}
