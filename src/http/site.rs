//! What every request works with.

use std::sync::Arc;
use std::time::Duration;

use tagstone_replay::log::RecordReader;

use super::api::{ArchiveQuestions, Fingerprints, LongQuestions, OpenStreams};
use super::browser::Hosts;
use super::client_address::TrustedProxies;
use super::clients::Clients;
use crate::access::Gate;
use crate::content::ContentStore;
use crate::free_space::FreeSpace;
use crate::history::History;
use crate::metrics::Metrics;
use crate::registry::{Clock, Collector, Promises, Pruner, Published, Removal, Remover, Sparse, WriterHandle};

/// Bounds on requests; all of them are settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a manifest.
    pub manifest_bytes: u64,
    /// Bytes of a blob, if they are bounded.
    pub blob_bytes: Option<u64>,
    /// Bytes up to which a blob travels in memory and shares the batch's sync.
    pub small_blob_bytes: usize,
    /// How long a body may stand still.
    pub body_idle: Duration,
    /// The least rate of a body, in bytes a second, once it has taken longer than `body_idle`.
    pub body_minimum_rate: u64,
    /// Upload sessions that may be open.
    pub open_uploads: usize,
    /// Entries of a page.
    pub page_entries: usize,
    /// Streams of events that may be open.
    pub event_streams: usize,
    /// Bytes of a path with its query.
    pub uri_bytes: usize,
    /// Bytes of the fields of a header.
    pub header_bytes: usize,
    /// Fields of a header.
    pub header_fields: usize,
    /// Requests that one client may have under way.
    pub client_requests: usize,
    /// Upload sessions that one client may have open.
    pub client_uploads: usize,
    /// The disk, and how much of it is kept free.
    pub disk: FreeSpace,
    /// What a browser may call an open registry.
    pub hosts: Hosts,
    /// How long an access token can be valid.
    pub token_lifetime: Duration,
}

/// What a site is made of.
pub struct Parts {
    /// Who is let in.
    pub gate: Gate,
    /// Who is believed when it says for whom it asks.
    pub proxies: TrustedProxies,
    /// The state that readers see.
    pub published: Published,
    /// The time by which tags expire.
    pub clock: Arc<dyn Clock>,
    /// The way to the writer.
    pub writer: WriterHandle,
    /// The bytes.
    pub content: Arc<ContentStore>,
    /// The history of tags.
    pub history: History,
    /// The log, to be read beside the writer.
    pub records: RecordReader,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What runs prune policies.
    pub pruner: Arc<Pruner>,
    /// What removes bytes.
    pub removal: Removal,
}

/// A registry as its requests see it.
pub struct Site {
    pub(super) gate: Gate,
    pub(super) proxies: TrustedProxies,
    pub(super) published: Published,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) writer: WriterHandle,
    pub(super) content: Arc<ContentStore>,
    pub(super) history: History,
    pub(super) records: RecordReader,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pruner: Arc<Pruner>,
    pub(super) promises: Arc<Promises>,
    pub(super) remover: Arc<Remover>,
    pub(super) collector: Arc<Collector>,
    pub(super) limits: Limits,
    pub(super) sparse: Sparse,
    pub(super) fingerprints: Fingerprints,
    pub(super) questions: LongQuestions,
    pub(super) archive_questions: ArchiveQuestions,
    pub(super) streams: OpenStreams,
    pub(super) clients: Clients,
}

impl Site {
    /// A site over an opened registry.
    pub fn new(parts: Parts, limits: Limits, sparse: Sparse) -> Self {
        let Parts { gate, proxies, published, clock, writer, content, history, records, metrics, pruner, removal } =
            parts;
        let Removal { promises, remover, collector } = removal;
        let streams = OpenStreams::new(limits.event_streams);
        let clients = Clients::new(limits.client_requests, limits.client_uploads);
        let (fingerprints, questions) = (Fingerprints::default(), LongQuestions::default());
        Self {
            gate,
            proxies,
            published,
            clock,
            writer,
            content,
            history,
            records,
            metrics,
            pruner,
            promises,
            remover,
            collector,
            limits,
            sparse,
            fingerprints,
            questions,
            archive_questions: ArchiveQuestions::default(),
            streams,
            clients,
        }
    }

    /// The metrics of the site.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}
