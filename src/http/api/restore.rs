//! A tag brought back to a manifest that the repository still has.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::ApiRefusal;
use super::tag::{TagNow, digest, set};
use super::{ApiAnswer, json};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Expiry, Lock, SetTag};

/// Where a tag is to be brought back to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    /// Digest of a manifest of the repository.
    manifest_digest: String,
}

/// POST `/api/v1/repository/<name>/tag/<tag>/restore`
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/tag/{tag}/restore",
    operation_id = "restore_tag",
    tag = "tags",
    summary = "Point a tag at an earlier manifest again, also a tag that is gone",
    description = "The manifest has to be in the repository still; whether the tag ever pointed there does not matter. A \
                   tag that points there already is left as it is.",
    request_body = Restore,
    responses(
        (status = 200, description = "The tag as it is now", body = TagNow),
        (status = 400, description = "`invalid_request`: `manifest_digest` is missing or no digest"),
        (status = 404, description = "`not_found`: there is no such repository, or no such manifest in it"),
        (status = 409, description = "`tag_immutable`: the tag is protected where it points; `tag_spent`: the name can \
                                      only come back as another digest"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let restore: Restore = json::read(exchange, payload).await?;
    let manifest = Some(digest(&restore.manifest_digest)?);
    let (expiry, lock) = (Expiry::Keep, Lock::Keep);
    Ok(HttpResponse::Ok().json(set(exchange, SetTag { repository, tag, manifest, expiry, lock }).await?))
}
