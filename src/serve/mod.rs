//! From settings to a running registry, and back to a clean stop.

mod background;
mod checkpoint;
mod finishing;
mod guards;
mod presence;
mod start;
mod stored;
mod verification;

use std::io;
use std::sync::Arc;

use tagstone_replay::content::Layout;
use tagstone_replay::log::OpenError;
use tagstone_replay::log::directory::{DirectoryLock, LockError, create_private_directory};

use crate::content::ContentStore;
use crate::free_space::FreeSpace;
use crate::history::{Follower, History};
use crate::http::{self, Hosts, Limits, Listening, Parts, ServerError, Site, TrustedProxies};
use crate::metrics::{Metrics, WriterMetrics};
use crate::registry::{
    Clock, CollectParts, CollectRules, LogDamage, Progress, Pruner, Published, ReadOnly, Removal, Sparse, SystemClock,
    Writer, WriterHandle, WriterSettings, Writing, recall_promises,
};
use crate::settings::{Collect, Settings};
use crate::tls::{Certificates, TlsError};

use background::Background;
use checkpoint::Checkpoints;
pub use guards::{GuardError, Guards};
pub use start::Opened;
pub use stored::ContentBytes;
use verification::Verifying;

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
    /// The certificates cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The address cannot be listened on, or the server ended.
    #[error("{0}")]
    Server(String),
    /// The metrics clash; a bug.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until a signal says to stop.
pub fn serve(settings: &Settings, guards: &Guards) -> Result<(), ServeError> {
    let layout = Layout::new(&settings.data);
    create_private_directory(layout.root())?;
    let _lock = DirectoryLock::take(&layout.lock())?;
    let (recovering, guarding) = (settings.clone(), guards.clone());
    let listening = listening(settings, guards)?;
    let background =
        http::serve(listening, move || recover(&layout, &recovering, &guarding)).map_err(|error| match error {
            ServerError::Listen { .. } | ServerError::Ended(_) => ServeError::Server(error.to_string()),
            ServerError::Recovery(error) => error,
        })?;
    if let Some(background) = background {
        background.end();
    }
    Ok(())
}

/// Opens the registry, and starts what works in the background.
fn recover(layout: &Layout, settings: &Settings, guards: &Guards) -> Result<(Site, Background), ServeError> {
    let registry = Opened::open(layout, settings)?;
    let metrics = Metrics::new(&http::ROUTE_LABELS)?;
    metrics.observe_head(registry.log.head());
    guards.certificates.iter().for_each(|certificates| metrics.show_certificates(certificates.clone()));
    let content = Arc::new(registry.content);
    let (published, newer) = Published::followed(registry.snapshot);
    let (records, known) = (registry.history.records.clone(), registry.known);
    let (follower, history) = Follower::new(registry.history, newer);
    let (writer, handle) = Writer::new(
        registry.log,
        Box::new(ContentBytes(content.clone())),
        Arc::new(SystemClock),
        Box::new(WriterMetrics(metrics.clone())),
        published.clone(),
        writer_settings(settings),
    );
    let writing = std::thread::Builder::new().name("writer".to_owned()).spawn(move || drop(writer.run()))?;
    let damaged = Damaged { writing: handle.writing().clone(), metrics: metrics.clone() };
    let following = damaged.clone();
    let following = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
        if let Some(damage) = follower.run() {
            following.found(damage);
        }
    })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let pruner = Arc::new(Pruner::new(published.clone(), clock.clone(), handle.clone()));
    let pruning = pruner.stop();
    let checkpoints = Arc::new(Checkpoints::new(layout.snapshot(), history.clone(), known.seq));
    let verifying = match known.seq {
        0 => None,
        _ => {
            let questions = history.questions().clone();
            Some(Verifying::begin(records.clone(), known, questions, move |damage| damaged.found(Arc::new(damage)))?)
        }
    };
    let mut periodic = vec![
        background::write_snapshots(checkpoints.clone(), published.clone())?,
        background::expire_uploads(content.clone(), settings.uploads.lifetime)?,
        background::wake_writer(published.clone(), clock.clone(), handle.clone())?,
        background::prune(pruner.clone(), metrics.clone(), settings.prune.interval)?,
        background::watch_access(guards.clone())?,
    ];
    let removal = removal(layout, settings, &published, &clock, &handle, &content, &history);
    let (collecting, promises) = (removal.collector.stop(), (removal.promises.clone(), layout.promises()));
    periodic.push(background::collect(removal.collector.clone(), metrics.clone(), settings.collect.interval)?);
    let checkpoints = (checkpoints, published.clone());
    let (gate, proxies) = (guards.gate.clone(), TrustedProxies::new(&settings.http.trusted_proxies));
    let parts =
        Parts { gate, proxies, published, clock, writer: handle, content, history, records, metrics, pruner, removal };
    Ok((
        site(settings, parts),
        Background { writing, following, periodic, stops: [pruning, collecting], promises, verifying, checkpoints },
    ))
}

/// What is done when the log turns out to be damaged: nothing is written on it any more.
#[derive(Clone)]
struct Damaged {
    writing: Writing,
    metrics: Arc<Metrics>,
}

impl Damaged {
    fn found(self, damage: Arc<LogDamage>) {
        // It is so before it is said: whoever reads that it is read-only finds it so.
        let said = damage.to_string();
        self.writing.end(ReadOnly::LogDamaged(damage));
        WriterMetrics(self.metrics).poisoned();
        tracing::error!(damage = %said, "the log is damaged, so the registry is read-only; `tagstone-replay verify` says how far it is sound");
    }
}

/// What removes bytes from a registry.
pub fn removal(
    layout: &Layout,
    settings: &Settings,
    published: &Published,
    clock: &Arc<dyn Clock>,
    writer: &WriterHandle,
    content: &Arc<ContentStore>,
    history: &History,
) -> Removal {
    let parts = CollectParts {
        published: published.clone(),
        clock: clock.clone(),
        writer: writer.clone(),
        bytes: content.clone(),
        promises: recall_promises(&layout.promises(), clock.now()),
        past: Arc::new(history.clone()),
    };
    let Collect { grace, untagged, .. } = settings.collect;
    Removal::new(parts, CollectRules { grace, untagged })
}

/// A site with the limits of the settings.
pub fn site(settings: &Settings, parts: Parts) -> Site {
    let limits = Limits {
        manifest_bytes: settings.limits.manifest_bytes,
        blob_bytes: settings.limits.blob_bytes,
        small_blob_bytes: bounded(settings.content.small_blob_bytes),
        body_idle: settings.limits.body_idle,
        body_minimum_rate: settings.limits.body_minimum_rate,
        open_uploads: bounded(settings.limits.open_uploads),
        page_entries: bounded(settings.limits.page_entries),
        event_streams: bounded(settings.limits.event_streams),
        uri_bytes: bounded(settings.limits.uri_bytes),
        header_bytes: bounded(settings.limits.header_bytes),
        header_fields: bounded(settings.limits.header_fields),
        client_requests: bounded(settings.limits.client_requests),
        client_uploads: bounded(settings.limits.client_uploads),
        disk: FreeSpace::new(&settings.data, settings.limits.free_disk_bytes, settings.limits.free_disk_percent),
        hosts: Hosts::new(&settings.http.hosts),
        token_lifetime: settings.limits.token_lifetime,
    };
    let sparse = Sparse { index: settings.manifests.sparse_index, layers: settings.manifests.sparse_layers };
    Site::new(parts, limits, sparse)
}

/// The bounds of the writer.
pub fn writer_settings(settings: &Settings) -> WriterSettings {
    WriterSettings { batch: bounded(settings.writer.batch), queue: bounded(settings.writer.queue) }
}

fn listening(settings: &Settings, guards: &Guards) -> Result<Listening, TlsError> {
    let hung_up = guards.clone();
    Ok(Listening {
        tls: guards.certificates.as_ref().map(Certificates::server).transpose()?,
        hung_up: Arc::new(move || hung_up.reload()),
        address: settings.listen,
        head_timeout: settings.limits.head_timeout,
        connections: bounded(settings.limits.connections),
        shutdown_grace: settings.shutdown_grace,
    })
}

fn bounded(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
