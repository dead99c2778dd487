//! From settings to a running registry, and back to a clean stop.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::directory::{DirectoryLock, LockError, create_directory};
use tagstone_replay::log::{AppendError, EmbeddedLog, Log, OpenError, Options};
use tagstone_schema::record::{EncodeError, FORMAT_VERSION};
use tagstone_schema::{Actor, Digest, Event, Id, Origin, Record};

use crate::content::{ContentStore, Settings as ContentSettings};
use crate::http::{self, Limits, Listening, ServerError, Site};
use crate::metrics::{Metrics, WriterMetrics};
use crate::registry::{
    BatchBytes, Clock, Published, Snapshot, Sparse, SystemClock, Writer, WriterHandle, WriterSettings,
};
use crate::settings::Settings;

/// Why a registry did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process has the data directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The log is not sound.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The first record of this start could not be written.
    #[error("the start could not be recorded: {0}")]
    Record(String),
    /// The content cannot be opened.
    #[error("the data directory cannot be opened: {0}")]
    Content(#[from] io::Error),
    /// The address cannot be listened on, or the server ended.
    #[error("{0}")]
    Server(String),
    /// The metrics clash; a bug.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until a signal says to stop.
pub fn serve(settings: &Settings) -> Result<(), ServeError> {
    let layout = Layout::new(&settings.data);
    create_directory(layout.root())?;
    let _lock = DirectoryLock::take(&layout.lock())?;
    let recovering = settings.clone();
    let background =
        http::serve(listening(settings), move || recover(&layout, &recovering)).map_err(|error| match error {
            ServerError::Listen { .. } | ServerError::Ended(_) => ServeError::Server(error.to_string()),
            ServerError::Recovery(error) => error,
        })?;
    if let Some(background) = background {
        background.end();
    }
    Ok(())
}

/// Opens the registry, and starts what works in the background.
fn recover(layout: &Layout, settings: &Settings) -> Result<(Site, Background), ServeError> {
    let registry = Opened::open(layout, settings)?;
    let metrics = Metrics::new(&http::ROUTE_LABELS)?;
    metrics.observe_head(registry.log.head());
    let content = Arc::new(registry.content);
    let published = Published::new(registry.snapshot);
    let (writer, handle) = Writer::new(
        registry.log,
        Box::new(ContentBytes(content.clone())),
        Arc::new(SystemClock),
        Box::new(WriterMetrics(metrics.clone())),
        published.clone(),
        writer_settings(settings),
    );
    let writing = std::thread::Builder::new().name("writer".to_owned()).spawn(move || drop(writer.run()))?;
    let expiring = spawn_expiry(&content, settings.uploads.lifetime)?;
    Ok((site(settings, published, handle, content, metrics), Background { writing, expiring }))
}

/// The threads beside the server.
struct Background {
    writing: JoinHandle<()>,
    expiring: Sender<()>,
}

impl Background {
    /// Waits for the writer, which ends when the server has dropped its last handle.
    fn end(self) {
        drop(self.expiring);
        if self.writing.join().is_err() {
            tracing::error!("the writer ended by a panic; what was acknowledged before is safe");
        }
    }
}

/// A registry whose log is verified and folded, and records its own start.
pub struct Opened {
    /// The log.
    pub log: Box<dyn Log>,
    /// Its fold.
    pub snapshot: Snapshot,
    /// The bytes.
    pub content: ContentStore,
}

impl Opened {
    /// Opens a data directory, or makes it. The caller holds its lock.
    pub fn open(layout: &Layout, settings: &Settings) -> Result<Self, ServeError> {
        // The log comes first: a start that it refuses leaves nothing behind.
        let mut state = State::default();
        let options = Options { cache_bytes: settings.store.cache_bytes };
        let opened = EmbeddedLog::open(layout, options, &mut |record| state.apply(record))?;
        if opened.cut_off > 0 {
            tracing::warn!(records = opened.cut_off, "cut off records that were never acknowledged");
        }
        let mut log: Box<dyn Log> = Box::new(opened.log);
        let content = ContentStore::open(
            layout,
            ContentSettings {
                direct_io: settings.content.direct_io,
                small_blob_bytes: bounded(settings.content.small_blob_bytes),
            },
        )?;
        record_start(&mut *log, &mut state, &SystemClock)?;
        let head = log.head();
        tracing::info!(seq = head.seq, hash = %head.hash, repositories = state.repository_count(), "the log is open");
        Ok(Self { log, snapshot: Snapshot { state, head }, content })
    }
}

/// Records that this program opened the log, and for a new one that it begins.
fn record_start(log: &mut dyn Log, state: &mut State, clock: &dyn Clock) -> Result<(), ServeError> {
    let head = log.head();
    let mut events = Vec::new();
    if head.seq == 0 {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| ServeError::Record(error.to_string()))?;
        events.push(Event::LogStarted { log: Id::from_random(random) });
    }
    events.push(Event::ServerStarted { version: env!("CARGO_PKG_VERSION").to_owned() });
    let record = Record {
        format: FORMAT_VERSION,
        seq: head.seq + 1,
        time: clock.now().max(head.time.next()),
        prev: head.hash,
        actor: Actor::system("start"),
        origin: Origin::default(),
        events,
    };
    let encoded = record.encode().map_err(|error: EncodeError| ServeError::Record(error.to_string()))?;
    // As in the writer: what the next start would take for damage is not written.
    record.check_follows(&head).map_err(|broken| ServeError::Record(broken.to_string()))?;
    state.apply(&record).map_err(|illegal| ServeError::Record(illegal.to_string()))?;
    log.append(&head, &[encoded]).map_err(|error: AppendError| ServeError::Record(error.to_string()))
}

/// The content store, as the writer uses it.
pub struct ContentBytes(pub Arc<ContentStore>);

impl BatchBytes for ContentBytes {
    fn store(&mut self, contents: &[(Digest, Bytes)], renamed: &[Digest]) -> io::Result<()> {
        self.0.segments.append(contents)?;
        self.0.blobs.sync_directories(renamed)
    }
}

/// A site with the limits of the settings.
pub fn site(
    settings: &Settings,
    published: Published,
    writer: WriterHandle,
    content: Arc<ContentStore>,
    metrics: Arc<Metrics>,
) -> Site {
    let limits = Limits {
        manifest_bytes: settings.limits.manifest_bytes,
        blob_bytes: settings.limits.blob_bytes,
        small_blob_bytes: bounded(settings.content.small_blob_bytes),
        body_idle: settings.limits.body_idle,
        body_minimum_rate: settings.limits.body_minimum_rate,
        open_uploads: bounded(settings.limits.open_uploads),
        page_entries: bounded(settings.limits.page_entries),
        uri_bytes: bounded(settings.limits.uri_bytes),
    };
    let sparse = Sparse { index: settings.manifests.sparse_index, layers: settings.manifests.sparse_layers };
    Site::new(published, writer, content, metrics, limits, sparse, settings.content.cache_bytes)
}

/// The bounds of the writer.
pub fn writer_settings(settings: &Settings) -> WriterSettings {
    WriterSettings { batch: bounded(settings.writer.batch), queue: bounded(settings.writer.queue) }
}

fn listening(settings: &Settings) -> Listening {
    Listening {
        address: settings.listen,
        head_timeout: settings.limits.head_timeout,
        connections: bounded(settings.limits.connections),
        shutdown_grace: settings.shutdown_grace,
    }
}

fn bounded(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Removes abandoned uploads now and then, until the returned sender is dropped.
fn spawn_expiry(content: &Arc<ContentStore>, lifetime: Duration) -> io::Result<Sender<()>> {
    let (stop, stopped) = channel();
    let content = content.clone();
    let pause = (lifetime / 10).clamp(Duration::from_millis(100), Duration::from_secs(60));
    std::thread::Builder::new().name("upload-expiry".to_owned()).spawn(move || {
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            match content.uploads.expire(lifetime) {
                Ok(expired) => {
                    if !expired.removed.is_empty() {
                        tracing::info!(sessions = expired.removed.len(), "removed abandoned uploads");
                    }
                    for (session, error) in expired.failed {
                        tracing::error!(%session, %error, "an abandoned upload cannot be removed");
                    }
                }
                Err(error) => tracing::error!(%error, "abandoned uploads cannot be looked for"),
            }
        }
    })?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tagstone_replay::log::memory::MemoryLog;
    use tagstone_schema::{Head, Timestamp};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn refusal(layout: &Layout) -> String {
        match Opened::open(layout, &Settings::default()) {
            Ok(_) => panic!("the start was not refused"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_directory_of_another_program_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("photo.jpg"), b"").unwrap();
        let message = refusal(&Layout::new(directory.path()));
        assert!(message.contains("holds `photo.jpg`"), "{message}");
        assert_eq!(names(directory.path()), ["photo.jpg"]);
    }

    #[test]
    fn content_without_its_history_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        drop(Opened::open(&layout, &Settings::default()).unwrap());
        fs::remove_dir_all(layout.log()).unwrap();
        fs::remove_file(layout.anchor()).unwrap();
        for _ in 0..2 {
            let message = refusal(&layout);
            assert!(message.contains(&layout.root().display().to_string()), "{message}");
            assert_eq!(names(directory.path()), ["blobs", "segments", "uploads"]);
        }
    }

    #[test]
    fn a_refused_log_leaves_no_content_behind() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        fs::write(layout.anchor(), b"no anchor").unwrap();
        refusal(&layout);
        assert_eq!(names(directory.path()), ["anchor"]);
    }

    #[test]
    fn a_start_at_the_end_of_time_is_not_recorded() {
        let (mut log, mut state) = (MemoryLog::default(), State::default());
        let last = Record {
            format: FORMAT_VERSION,
            seq: 1,
            time: Timestamp(i64::MAX),
            prev: Head::default().hash,
            actor: Actor::system("start"),
            origin: Origin::default(),
            events: vec![Event::LogStarted { log: Id::from_random([1; 16]) }],
        };
        log.append(&Head::default(), &[last.encode().unwrap()]).unwrap();
        state.apply(&last).unwrap();
        let refused = record_start(&mut log, &mut state, &SystemClock);
        assert!(matches!(refused, Err(ServeError::Record(_))), "{refused:?}");
        assert_eq!(log.head().seq, 1);
    }
}
