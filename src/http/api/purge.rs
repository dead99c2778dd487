//! Removing content with its bytes, at once.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::RepositoryName;
use tagstone_schema::event::Action;
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};
use super::{json, left_behind};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Because, Keeper, Kept, PurgePlan, PurgeRequest, Purged, RemovalError};

/// What is to be purged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PurgeOrder {
    /// A tag, the digest of a manifest, or the digest of a blob that no manifest of the repository names. For administrators also the
    /// digest of a manifest or blob that was deleted everywhere, and whose bytes are still there.
    reference: String,
    /// The reason, which stays in the log: 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    reason: String,
    /// Whether nothing is to be removed, only told.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What a purge has done, or what a dry run would do.
#[derive(Serialize, ToSchema)]
pub(super) struct PurgeReport {
    /// The tags that ended.
    tags_removed: Vec<String>,
    /// The manifests whose bytes are gone: the one that was asked for, its referrers, and children that only it used.
    manifests_removed: Vec<RemovedManifest>,
    /// The blobs whose bytes are gone.
    blobs_removed: Vec<RemovedBlob>,
    /// What stays.
    kept: Vec<KeptContent>,
    /// Bytes of all that is gone, manifests too.
    bytes_freed: u64,
    /// The last record of the purge; null for a dry run.
    seq: Option<u64>,
}

/// A manifest whose bytes are gone.
#[derive(Serialize, ToSchema)]
struct RemovedManifest {
    digest: String,
    /// In bytes.
    size: u64,
    media_type: String,
}

/// A blob whose bytes are gone.
#[derive(Serialize, ToSchema)]
struct RemovedBlob {
    digest: String,
    /// In bytes.
    size: u64,
}

/// Content whose bytes stay. In the purged repository it can be read only where a manifest that remains there names it, or where another
/// client has sent it there and may be about to push one; purging it by its digest does not heed that.
#[derive(Serialize, ToSchema)]
struct KeptContent {
    digest: String,
    /// `referenced`: manifests name it; `in_repository`: it is a manifest of another repository too; `tagged`: it is a manifest
    /// with a tag of its own; `recently_linked`: a repository has got the blob within the grace period of collection, and a
    /// manifest may follow; `being_pushed`: a client is sending it, or was just told that it is there.
    why: &'static str,
    /// Because of these, at most 100; repositories that the caller may not pull are left out.
    by: Vec<KeptBy>,
    /// How many more there are, those left out included.
    #[serde(skip_serializing_if = "is_none")]
    more: usize,
}

/// What keeps content.
#[derive(Serialize, ToSchema)]
struct KeptBy {
    repository: String,
    /// The manifest that names it, or is it; missing for a blob that was linked a moment ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// POST `/api/v1/repository/<name>/purge`
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/purge",
    operation_id = "purge",
    tag = "removal",
    summary = "Remove a manifest with its tags, what only it used, and all their bytes",
    description = "For whoever may delete in the repository. When this has answered, no request anywhere in the registry is given \
                   the bytes, and they are off the disk. What other manifests name stays, and is told.",
    request_body = PurgeOrder,
    responses(
        (status = 200, description = "What is gone and what stays", body = PurgeReport),
        (status = 400, description = "`invalid_request`: there is no reason, or the reference can be none"),
        (status = 404, description = "`not_found`: there is no such tag, manifest or blob, or no such repository"),
        (status = 409, description = "`tag_immutable`: immutable `tags` reach the content; `in_use`: `manifests` that remain contain or \
                                      name it; `overtaken`: others changed the repository again and again meanwhile"),
        (status = 413, description = "`too_large`: more than 1,000 manifests would go; purge the children of the index by themselves"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str) -> ApiAnswer {
    let repository = writable(name)?;
    let PurgeOrder { reference, reason, dry_run } = json::read(exchange, payload).await?;
    let because: Because = reason.parse().map_err(|error| ApiRefusal::invalid_request(format!("`reason`: {error}")))?;
    let wrong = |error: String| ApiRefusal::invalid_request(format!("`reference` is no tag and no digest: {error}"));
    let what = if reference.contains(':') {
        Purged::Digest(
            reference.parse().map_err(|error: tagstone_schema::digest::DigestError| wrong(error.to_string()))?,
        )
    } else {
        Purged::Tag(reference.parse().map_err(|error: tagstone_schema::name::NameError| wrong(error.to_string()))?)
    };
    if dry_run == Some(true) {
        let request = request(exchange, repository, what, because).await?;
        let remover = exchange.site.remover.clone();
        let plan = tokio::task::spawn_blocking(move || remover.preview(&request))
            .await
            .map_err(|error| broke_off(&error))??;
        return Ok(HttpResponse::Ok().json(PurgeReport::new(exchange, &plan, None)));
    }
    let (plan, seq) = purged(exchange, repository, what, because).await?;
    Ok(HttpResponse::Ok().json(PurgeReport::new(exchange, &plan, seq)))
}

/// Purges. A client that goes away does not end it.
pub(super) async fn purged(
    exchange: &Exchange<'_>,
    repository: RepositoryName,
    what: Purged,
    because: Because,
) -> Result<(PurgePlan, Option<u64>), ApiRefusal> {
    let request = request(exchange, repository, what, because).await?;
    let remover = exchange.site.remover.clone();
    let purging = tokio::task::spawn_blocking(move || remover.purge(&request));
    let (plan, seq) = purging.await.map_err(|error| broke_off(&error))??;
    exchange.site.metrics.purge(&plan);
    Ok((plan, seq))
}

async fn request(
    exchange: &Exchange<'_>,
    repository: RepositoryName,
    what: Purged,
    because: Because,
) -> Result<PurgeRequest, ApiRefusal> {
    let left_behind = left_behind::of(exchange, &repository, &what).await?;
    Ok(PurgeRequest { repository, what, because, left_behind, actor: exchange.actor(), origin: exchange.origin() })
}

fn broke_off(error: &tokio::task::JoinError) -> ApiRefusal {
    tracing::error!(%error, "a purge ended by a panic");
    ApiRefusal::new(ErrorType::InternalError, "the purge broke off; what it has done stands in the log")
}

impl From<RemovalError> for ApiRefusal {
    fn from(error: RemovalError) -> Self {
        let message = error.to_string();
        match error {
            RemovalError::Write(error) => error.into(),
            RemovalError::Bytes { .. } => Self::new(ErrorType::InternalError, message),
        }
    }
}

impl PurgeReport {
    pub(super) fn new(exchange: &Exchange<'_>, plan: &PurgePlan, seq: Option<u64>) -> Self {
        let manifests = plan.manifests.iter().map(|manifest| RemovedManifest {
            digest: manifest.digest.to_string(),
            size: manifest.size,
            media_type: manifest.media_type.to_string(),
        });
        let blobs = plan.blobs.iter().map(|(digest, size)| RemovedBlob { digest: digest.to_string(), size: *size });
        Self {
            tags_removed: plan.tags.iter().map(ToString::to_string).collect(),
            manifests_removed: manifests.collect(),
            blobs_removed: blobs.collect(),
            kept: plan.kept.iter().map(|kept| KeptContent::new(exchange, kept)).collect(),
            bytes_freed: plan.bytes(),
            seq,
        }
    }
}

impl KeptContent {
    fn new(exchange: &Exchange<'_>, kept: &Kept) -> Self {
        let may_see = |keeper: &&Keeper| exchange.caller.may(Action::Pull, keeper.repository.as_str());
        let by: Vec<_> = kept.by.iter().filter(may_see).map(KeptBy::new).collect();
        let more = kept.more + (kept.by.len() - by.len());
        Self { digest: kept.digest.to_string(), why: kept.why.code(), by, more }
    }
}

impl KeptBy {
    fn new(keeper: &Keeper) -> Self {
        let manifest = keeper.manifest.as_ref().map(ToString::to_string);
        Self { repository: keeper.repository.to_string(), manifest }
    }
}
