//! Break-glass: a protected tag removed all the same.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::event::EndedTag;
use tagstone_schema::{Event, Tag};
use utoipa::ToSchema;

use super::error::{ApiRefusal, ErrorType};
use super::purge::{self, PurgeReport};
use super::{ApiAnswer, json};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Because, Command, Purged};

/// Why a tag is erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    /// The reason, which stays in the log: 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    reason: String,
    /// Whether the content is to be removed as well, with its bytes.
    #[serde(default)]
    purge: bool,
}

/// A tag that was erased.
#[derive(Serialize, ToSchema)]
pub(super) struct Erased {
    tag: String,
    /// Digest of the manifest that it pointed at; the name can only come back as that.
    was: String,
    /// The record that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// What was purged, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    purge: Option<PurgeReport>,
}

/// POST `/api/v1/repository/<name>/tag/<tag>/erase`
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/tag/{tag}/erase",
    operation_id = "erase_tag",
    tag = "tags",
    summary = "Remove a tag although it is immutable, for a reason that is recorded",
    description = "For administrators. The name is spent: it can only come back as the digest that it had. The manifest \
                   stays in the repository, unless `purge` is true: then its content goes as well, in the same record, or, where \
                   another immutable tag reaches it, nothing at all is changed.",
    request_body = Erasure,
    responses(
        (status = 200, description = "The tag is gone", body = Erased),
        (status = 400, description = "`invalid_request`: there is no reason"),
        (status = 404, description = "`not_found`: there is no such tag, or no such repository"),
        (status = 409, description = "With `purge`: `tag_immutable`: other immutable `tags` reach the content; `in_use`: indexes that \
                                      remain (`manifests`) contain it; `overtaken`"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag): (_, Tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let erasure: Erasure = json::read(exchange, payload).await?;
    let because: Because =
        erasure.reason.parse().map_err(|error| ApiRefusal::invalid_request(format!("`reason`: {error}")))?;
    if erasure.purge {
        let (plan, seq) = purge::purged(exchange, repository, Purged::Erased(tag), because).await?;
        let EndedTag { tag, was } = plan.erased.clone().ok_or_else(no_event)?;
        let purge = Some(PurgeReport::new(exchange, &plan, None));
        let erased = Erased { tag: tag.to_string(), was: was.to_string(), seq, purge };
        return Ok(HttpResponse::Ok().json(erased));
    }
    let committed = exchange.commit(Command::EraseTag { repository, tag, because }).await?;
    let erased = committed.events.iter().find_map(|event| match event {
        Event::TagErased { tag, was, .. } => {
            Some(Erased { tag: tag.to_string(), was: was.to_string(), seq: committed.seq, purge: None })
        }
        _ => None,
    });
    Ok(HttpResponse::Ok().json(erased.ok_or_else(no_event)?))
}

fn no_event() -> ApiRefusal {
    ApiRefusal::new(ErrorType::InternalError, "the erasure left no event")
}
