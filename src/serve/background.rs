//! The threads beside the server.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tagstone_schema::{Actor, Id, Origin, Timestamp};

use super::checkpoint::Checkpoints;
use super::finishing::Finishing;
use super::guards::Guards;
use super::verification::Verifying;
use crate::content::ContentStore;
use crate::metrics::Metrics;
use crate::random_id::random_id;
use crate::registry::{
    Clock, CollectError, CollectOrder, Collector, Order, Promises, Pruner, Published, Report, RunError, Stop, Way,
    WriteError, WriterHandle, remember_promises,
};

/// The writer, and what is done now and then.
pub(super) struct Background {
    pub(super) writing: JoinHandle<()>,
    /// Keeps the history.
    pub(super) following: JoinHandle<()>,
    pub(super) periodic: Vec<Periodic>,
    /// End prune runs and collections, also those that were asked for by requests.
    pub(super) stops: [Stop; 2],
    /// What clients were told, and where it is kept until the next start.
    pub(super) promises: (Arc<Promises>, PathBuf),
    /// Verifies what the start did not look at, if it did not look at something.
    pub(super) verifying: Option<Verifying>,
    /// Writes the last snapshot, of what is published last.
    pub(super) checkpoints: (Arc<Checkpoints>, Published),
}

impl Background {
    /// Ends what is done now and then, and waits for the writer, which ends when nobody holds a handle any more.
    pub(super) fn end(self) {
        self.stops.iter().for_each(Stop::ask);
        if let Some(verifying) = self.verifying {
            verifying.end();
        }
        self.periodic.into_iter().for_each(Periodic::end);
        if self.writing.join().is_err() {
            tracing::error!("the writer ended by a panic; what was acknowledged before is safe");
        }
        let (promises, path) = self.promises;
        if let Err(error) = remember_promises(&promises, &path) {
            tracing::warn!(%error, path = %path.display(), "what clients were told cannot be kept; the next start counts as having told everything");
        }
        let (checkpoints, published) = self.checkpoints;
        let newest = published.snapshot();
        drop(published);
        // It ends with the last one that could publish.
        if self.following.join().is_err() {
            tracing::error!("the thread of the history ended by a panic; its index is made anew at the next start");
        }
        checkpoints.write_at_stop(&newest);
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

/// Wakes the writer when tags have expired, or refused attempts are due to be recorded, and no command has come that
/// would have.
pub(super) fn wake_writer(published: Published, clock: Arc<dyn Clock>, writer: WriterHandle) -> io::Result<Periodic> {
    Periodic::spawn("writer-wake", TAG_EXPIRY_PAUSE, move || {
        let now = clock.now();
        let has_expired = || published.load().state.expiring(Timestamp(i64::MIN), now).next().is_some();
        if writer.refusals().is_due(now) || has_expired() {
            writer.wake();
        }
    })
}

/// How often it is looked whether users and rules of access have changed.
const ACCESS_PAUSE: Duration = Duration::from_secs(1);

/// Reads users and rules of access again when their files change.
pub(super) fn watch_access(guards: Guards) -> io::Result<Periodic> {
    Periodic::spawn("access", ACCESS_PAUSE, move || guards.reload_if_changed())
}

/// How often it is looked whether a snapshot is due.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);

/// Writes snapshots of the state.
pub(super) fn write_snapshots(checkpoints: Arc<Checkpoints>, published: Published) -> io::Result<Periodic> {
    Periodic::spawn("snapshots", CHECKPOINT_PAUSE, move || checkpoints.write_if_due(&published))
}

/// Runs the active prune policies.
pub(super) fn prune(pruner: Arc<Pruner>, metrics: Arc<Metrics>, interval: Duration) -> io::Result<Periodic> {
    Periodic::spawn("prune", interval, move || {
        for policy in pruner.due() {
            if prune_by(&pruner, &metrics, policy).is_err() {
                return;
            }
        }
    })
}

/// Runs one policy. The error says that the others need not be tried.
fn prune_by(pruner: &Pruner, metrics: &Metrics, policy: Id) -> Result<(), ()> {
    let run = random_id().map_err(|error| tracing::error!(%error, "no id can be drawn for a prune run"))?;
    // The records tell what was deleted; nobody reads a list here.
    let mut report = Report::new(run, 0);
    let order = Order { policy, way: Way::Delete, actor: Actor::system("prune"), origin: Origin::default() };
    let ended = pruner.run(&order, &mut report);
    let (deleted, skipped) = (report.deleted.count, report.skipped.count);
    if matches!(ended, Err(RunError::UnderWay { .. })) {
        return Ok(());
    }
    metrics.prune_run(&report);
    match ended {
        Ok(()) if deleted == 0 => tracing::debug!(%policy, %run, skipped, "a prune run found nothing to delete"),
        Ok(()) => tracing::info!(
            %policy, %run, considered = report.considered, deleted, skipped, seq = report.seq,
            incomplete = report.incomplete, "pruned tags"
        ),
        Err(RunError::Write(WriteError::Stopped)) => {
            tracing::info!(%policy, %run, deleted, "a prune run was ended, since the registry stops");
            return Err(());
        }
        Err(RunError::Write(error @ (WriteError::Poisoned(_) | WriteError::Bug(_)))) => {
            tracing::error!(%policy, %run, deleted, %error, "a prune run broke off");
            return Err(());
        }
        // The policy was changed or retired in this moment.
        Err(error) => tracing::info!(%policy, %run, deleted, %error, "a prune run was given up"),
    }
    Ok(())
}

/// Finishes the removals that a process before has begun, then removes now and then what nothing refers to.
pub(super) fn collect(collector: Arc<Collector>, metrics: Arc<Metrics>, interval: Duration) -> io::Result<Periodic> {
    let (mut finishing, mut due) = (Finishing::begin(), Instant::now() + interval);
    Periodic::spawn("collect", Finishing::PAUSE.min(interval), move || {
        finishing.go_on(Instant::now(), || collector.finish_removals());
        collector.give_back_purged_space();
        if Instant::now() >= due {
            due = Instant::now() + interval;
            collect_now(&collector, &metrics);
        }
    })
}

fn collect_now(collector: &Collector, metrics: &Metrics) {
    match collector.run(&CollectOrder::of_the_registry()) {
        Ok(collection) => {
            metrics.collection(&collection);
            let (removed, bytes) = (collection.removed.count, collection.bytes_freed);
            match removed + collection.manifests_deleted {
                0 => tracing::debug!(considered = collection.considered, "a collection found nothing to remove"),
                _ => tracing::info!(
                    considered = collection.considered,
                    removed,
                    bytes,
                    manifests_deleted = collection.manifests_deleted,
                    seq = collection.seq,
                    "removed what nothing refers to"
                ),
            }
        }
        // Somebody has asked for one at this moment, or the registry stops.
        Err(error @ (CollectError::UnderWay { .. } | CollectError::Write(WriteError::Stopped))) => {
            tracing::debug!(%error, "no collection");
        }
        Err(error) => tracing::error!(%error, "a collection broke off"),
    }
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
