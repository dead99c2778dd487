//! Removing what nothing refers to.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::event::{ContentKind, RemovedContent};
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};
use super::json;
use crate::http::exchange::Exchange;
use crate::registry::{CollectError, CollectOrder, Collection, Way};

/// How a collection is to be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionOrder {
    /// Whether nothing is to be removed, only told.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What a collection has done, or what a dry run would do.
#[derive(Serialize, ToSchema)]
pub(super) struct CollectionReport {
    /// Whether it only tells.
    dry_run: bool,
    started: String,
    finished: String,
    /// Contents and manifests that nothing referred to.
    considered: u64,
    /// What was removed, at most 10,000 of it; all of it stands in the log.
    removed: Vec<CollectedContent>,
    removed_count: u64,
    /// Bytes of what was removed.
    bytes_freed: u64,
    /// What stays: it is not unreferenced for long enough, or a client is pushing it or was told that it is there.
    kept_in_grace: u64,
    /// Manifests that were deleted since nothing had held them for as long as `[collect] untagged` says. Their bytes go when the
    /// grace period has passed once more.
    manifests_deleted: u64,
    /// The last record; missing if there was nothing to record.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// Why it ended before all was done, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
}

/// Content that was removed.
#[derive(Serialize, ToSchema)]
struct CollectedContent {
    digest: String,
    /// In bytes.
    size: u64,
    /// `blob` or `manifest`.
    kind: &'static str,
}

/// The last collection and the one that is under way.
#[derive(Serialize, ToSchema)]
pub(super) struct Collections {
    /// Null before the first since the start.
    last: Option<CollectionReport>,
    /// The last one since the start that removed something, which may be an earlier one; missing before there was any.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_removed: Option<CollectionReport>,
    /// Null if there is none.
    running: Option<RunningCollection>,
}

/// A collection that is under way.
#[derive(Serialize, ToSchema)]
struct RunningCollection {
    /// Whether it only tells.
    dry_run: bool,
    started: String,
}

/// POST `/api/v1/collect`
#[utoipa::path(
    post,
    path = "/api/v1/collect",
    operation_id = "collect",
    tag = "removal",
    summary = "Remove what nothing refers to, or tell what would be removed",
    description = "For administrators. What became unreferenced within the grace period of `[collect]` stays.",
    request_body(content = Option<CollectionOrder>, description = "No body is a collection that removes"),
    responses(
        (status = 200, description = "What it has done", body = CollectionReport),
        (status = 409, description = "`run_under_way`: there is one at a time"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload) -> ApiAnswer {
    let order: CollectionOrder = json::read(exchange, payload).await?;
    let way = if order.dry_run == Some(true) { Way::Dry } else { Way::Delete };
    exchange.site.writer.check()?;
    let order = CollectOrder { way, actor: exchange.actor(), origin: exchange.origin() };
    let collector = exchange.site.collector.clone();
    // A client that goes away does not end it.
    let running = tokio::task::spawn_blocking(move || collector.run(&order));
    let collection = running.await.map_err(|error| {
        tracing::error!(%error, "a collection ended by a panic");
        ApiRefusal::new(ErrorType::InternalError, "the collection broke off; what it has removed stands in the log")
    })??;
    exchange.site.metrics.collection(&collection);
    Ok(HttpResponse::Ok().json(CollectionReport::from(&*collection)))
}

/// GET `/api/v1/collect`
#[utoipa::path(
    get,
    path = "/api/v1/collect",
    operation_id = "get_collections",
    tag = "removal",
    summary = "The last collection, and the one that is under way",
    description = "For administrators.",
    responses((status = 200, description = "Both, if there are any", body = Collections)),
)]
pub(super) fn get(exchange: &Exchange<'_>) -> HttpResponse {
    let (last, running) = exchange.site.collector.standing();
    let running = running
        .map(|running| RunningCollection { dry_run: running.way == Way::Dry, started: running.started.to_string() });
    let last = last.as_deref().map(CollectionReport::from);
    let last_removed = exchange.site.collector.last_removed().as_deref().map(CollectionReport::from);
    HttpResponse::Ok().json(Collections { last, last_removed, running })
}

impl From<&Collection> for CollectionReport {
    fn from(collection: &Collection) -> Self {
        Self {
            dry_run: collection.way == Way::Dry,
            started: collection.started.to_string(),
            finished: collection.finished.to_string(),
            considered: collection.considered,
            removed: collection.removed.entries.iter().map(CollectedContent::from).collect(),
            removed_count: collection.removed.count,
            bytes_freed: collection.bytes_freed,
            kept_in_grace: collection.kept_in_grace,
            manifests_deleted: collection.manifests_deleted,
            seq: collection.seq,
            incomplete: collection.incomplete.clone(),
        }
    }
}

impl From<&RemovedContent> for CollectedContent {
    fn from(content: &RemovedContent) -> Self {
        let kind = match content.content {
            ContentKind::Manifest => "manifest",
            ContentKind::Blob => "blob",
        };
        Self { digest: content.digest.to_string(), size: content.size, kind }
    }
}

impl From<CollectError> for ApiRefusal {
    fn from(error: CollectError) -> Self {
        let message = error.to_string();
        match error {
            CollectError::UnderWay { .. } => Self::new(ErrorType::RunUnderWay, message),
            CollectError::Write(error) => error.into(),
            CollectError::Bytes(_) => Self::new(ErrorType::InternalError, message),
        }
    }
}
