//! Metrics in the Prometheus text format. Every series is made at the start, so a request only counts.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use tagstone_schema::Head;

use crate::access::NotAdmitted;
use crate::free_space::Disk;
use crate::limit::Limit;
use crate::registry::{Collection, Progress, PurgePlan, RefusalReason, Report, Way};
use crate::tls::Certificates;

/// The metrics of a server.
pub struct Metrics {
    registry: Registry,
    /// By route, then by the first digit of the status.
    requests: Vec<[IntCounter; 5]>,
    latency: Vec<Histogram>,
    received: IntCounter,
    sent: IntCounter,
    head: IntGauge,
    batch_commands: Histogram,
    batch_records: Histogram,
    sync: Histogram,
    queue: IntGauge,
    uploads: IntGauge,
    poisoned: IntGauge,
    prune_runs: IntCounter,
    pruned: IntCounter,
    prune_skipped: IntCounter,
    purges: IntCounter,
    collections: IntCounter,
    removed: IntCounter,
    removed_bytes: IntCounter,
    /// By the places in [`RefusalReason::ALL`].
    refusals: [IntCounter; RefusalReason::ALL.len()],
    /// By the places in [`Limit::ALL`].
    limits: [IntCounter; Limit::ALL.len()],
    disk_available: IntGauge,
    disk_kept: IntGauge,
    certificate: IntGauge,
    /// What clients are shown, where they are shown any.
    certificates: OnceLock<Certificates>,
    /// By the places in [`NotAdmitted::REASONS`].
    failed_logins: [IntCounter; 5],
}

impl Metrics {
    /// Metrics for requests to these routes.
    pub fn new(routes: &[&str]) -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("tagstone_http_requests_total", "Requests answered, by route and class of status."),
            &["route", "status"],
        )?;
        let latency = HistogramVec::new(
            HistogramOpts::new(
                "tagstone_http_request_seconds",
                "Time from the head of a request to its answer's head.",
            )
            .buckets(prometheus::exponential_buckets(0.0001, 4.0, 10)?),
            &["route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        let refusals = IntCounterVec::new(
            Opts::new("tagstone_refusals_total", "Changes that a rule has forbidden, by reason."),
            &["reason"],
        )?;
        registry.register(Box::new(refusals.clone()))?;
        let limits = IntCounterVec::new(
            Opts::new("tagstone_limit_refusals_total", "Requests that a limit has refused, by its key in [limits]."),
            &["limit"],
        )?;
        registry.register(Box::new(limits.clone()))?;
        let failed_logins = IntCounterVec::new(
            Opts::new("tagstone_failed_logins_total", "Requests whose credentials were not taken, by reason."),
            &["reason"],
        )?;
        registry.register(Box::new(failed_logins.clone()))?;
        let sizes = prometheus::exponential_buckets(1.0, 2.0, 10)?;
        let times = prometheus::exponential_buckets(0.0001, 2.0, 14)?;
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let made = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let counter = |name: &str, help: &str| {
            let made = IntCounter::new(name, help)?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help)?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let metrics = Self {
            requests: routes
                .iter()
                .map(|route| classes.map(|class| requests.with_label_values(&[route, class])))
                .collect(),
            latency: routes.iter().map(|route| latency.with_label_values(&[route])).collect(),
            received: counter("tagstone_received_bytes_total", "Bytes of blobs and manifests received.")?,
            sent: counter("tagstone_sent_bytes_total", "Bytes of blobs and manifests in answers.")?,
            head: gauge("tagstone_log_head", "Seq of the last durable record of the log.")?,
            batch_commands: histogram("tagstone_batch_commands", "Commands that shared one commit.", &sizes)?,
            batch_records: histogram("tagstone_batch_records", "Records that one commit wrote.", &sizes)?,
            sync: histogram(
                "tagstone_commit_seconds",
                "Time to make one commit durable: bytes, log and anchor.",
                &times,
            )?,
            queue: gauge("tagstone_writer_queue", "Commands that wait for the writer.")?,
            uploads: gauge("tagstone_uploads_open", "Upload sessions that are open.")?,
            poisoned: gauge("tagstone_writer_poisoned", "1 if writes are refused until a restart.")?,
            prune_runs: counter("tagstone_prune_runs_total", "Runs of prune policies; dry ones do not count.")?,
            pruned: counter("tagstone_prune_deleted_tags_total", "Tags that prune policies have deleted.")?,
            prune_skipped: counter(
                "tagstone_prune_skipped_tags_total",
                "Tags that runs of prune policies have selected and not deleted, such as immutable ones.",
            )?,
            disk_available: gauge(
                "tagstone_disk_available_bytes",
                "Bytes of the file system of the data directory that the registry may still use.",
            )?,
            disk_kept: gauge(
                "tagstone_disk_kept_free_bytes",
                "Bytes of these that are kept free; with no more than these, pushes are refused.",
            )?,
            certificate: gauge(
                "tagstone_tls_certificate_not_after_seconds",
                "When the certificate that clients are shown expires, in seconds since 1970; 0 without TLS.",
            )?,
            certificates: OnceLock::new(),
            limits: Limit::ALL.map(|limit| limits.with_label_values(&[limit.key()])),
            purges: counter("tagstone_purges_total", "Purges; dry ones do not count.")?,
            collections: counter("tagstone_collections_total", "Collections that ended; dry ones do not count.")?,
            removed: counter(
                "tagstone_removed_contents_total",
                "Blobs and manifests whose bytes were removed, by purges and collections.",
            )?,
            removed_bytes: counter("tagstone_removed_bytes_total", "Their bytes.")?,
            refusals: RefusalReason::ALL.map(|reason| refusals.with_label_values(&[reason.code()])),
            failed_logins: NotAdmitted::REASONS.map(|reason| failed_logins.with_label_values(&[reason])),
            registry,
        };
        Ok(Arc::new(metrics))
    }

    /// A request was answered.
    pub fn request(&self, route: usize, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        if let Some(counters) = self.requests.get(route) {
            counters[class].inc();
        }
        if let Some(latency) = self.latency.get(route) {
            latency.observe(took.as_secs_f64());
        }
    }

    /// Bytes of a body were received.
    pub fn bytes_received(&self, bytes: u64) {
        self.received.inc_by(bytes);
    }

    /// Bytes of content were answered.
    pub fn bytes_sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }

    /// The log was opened.
    pub fn observe_head(&self, head: Head) {
        self.head.set(head.seq.cast_signed());
    }

    /// So many commands wait.
    pub fn observe_queue(&self, waiting: usize) {
        self.queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// So many upload sessions are open.
    pub fn observe_uploads(&self, open: usize) {
        self.uploads.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A rule has forbidden a change.
    pub fn refused(&self, reason: RefusalReason) {
        let counters = RefusalReason::ALL.iter().zip(&self.refusals);
        counters.filter(|(own, _)| **own == reason).for_each(|(_, counter)| counter.inc());
    }

    /// A limit has refused a request.
    pub fn refused_by(&self, limit: Limit) {
        self.limits[limit as usize].inc();
    }

    /// The disk has so much left.
    pub fn observe_disk(&self, disk: Disk) {
        self.disk_available.set(i64::try_from(disk.available).unwrap_or(i64::MAX));
        self.disk_kept.set(i64::try_from(disk.kept).unwrap_or(i64::MAX));
    }

    /// Somebody was not let in.
    pub fn failed_login(&self, why: &NotAdmitted) {
        let counters = NotAdmitted::REASONS.iter().zip(&self.failed_logins);
        counters.filter(|(reason, _)| **reason == why.reason()).for_each(|(_, counter)| counter.inc());
    }

    /// A prune policy was run.
    pub fn prune_run(&self, report: &Report) {
        self.prune_runs.inc();
        self.pruned.inc_by(report.deleted.count);
        self.prune_skipped.inc_by(report.skipped.count);
    }

    /// Something was purged.
    pub fn purge(&self, plan: &PurgePlan) {
        self.purges.inc();
        self.removed.inc_by(plan.digests().count() as u64);
        self.removed_bytes.inc_by(plan.bytes());
    }

    /// A collection has ended.
    pub fn collection(&self, collection: &Collection) {
        if collection.way == Way::Delete {
            self.collections.inc();
            self.removed.inc_by(collection.removed.count);
            self.removed_bytes.inc_by(collection.bytes_freed);
        }
    }

    /// From now on metrics tell when the certificate expires that these show.
    pub fn show_certificates(&self, certificates: Certificates) {
        // A server has one set of them.
        let _ = self.certificates.set(certificates);
    }

    /// All metrics as text.
    pub fn text(&self) -> Vec<u8> {
        self.certificate.set(self.certificates.get().and_then(Certificates::not_after).unwrap_or_default());
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        text
    }
}

/// The writer's side of the metrics.
pub struct WriterMetrics(pub Arc<Metrics>);

impl Progress for WriterMetrics {
    fn batch(&mut self, commands: usize, records: usize, sync: Duration, head: Head) {
        // Batches are small numbers, which a float holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand commands")]
        {
            self.0.batch_commands.observe(commands as f64);
            self.0.batch_records.observe(records as f64);
        }
        self.0.sync.observe(sync.as_secs_f64());
        self.0.observe_head(head);
    }

    fn refused(&mut self, reason: RefusalReason) {
        self.0.refused(reason);
    }

    fn poisoned(&mut self) {
        self.0.poisoned.set(1);
    }
}
