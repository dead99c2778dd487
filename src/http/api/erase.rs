//! Break-glass: a protected tag removed all the same.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::{Event, Tag};
use utoipa::ToSchema;

use super::error::{ApiRefusal, ErrorType};
use super::{ApiAnswer, json};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Because, Command};

/// Why a tag is erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    /// The reason, which stays in the log: 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    reason: String,
    /// Whether the content is to be removed as well. This version cannot; `true` is refused.
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
}

/// POST `/api/v1/repository/<name>/tag/<tag>/erase`
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/tag/{tag}/erase",
    operation_id = "erase_tag",
    tag = "tags",
    summary = "Remove a tag although it is immutable, for a reason that is recorded",
    description = "For administrators. The name is spent: it can only come back as the digest that it had. The manifest \
                   stays in the repository; once no immutable tag holds it, it can be deleted by its digest.",
    request_body = Erasure,
    responses(
        (status = 200, description = "The tag is gone", body = Erased),
        (status = 400, description = "`invalid_request`: there is no reason, or `purge` is asked for"),
        (status = 404, description = "`not_found`: there is no such tag, or no such repository"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag): (_, Tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let erasure: Erasure = json::read(exchange, payload).await?;
    let because: Because =
        erasure.reason.parse().map_err(|error| ApiRefusal::invalid_request(format!("`reason`: {error}")))?;
    if erasure.purge {
        return Err(ApiRefusal::invalid_request(
            "`purge` is not possible in this version of the registry, and nothing was erased; erase the tag without it, \
             then delete the manifest by its digest",
        ));
    }
    let committed = exchange.commit(Command::EraseTag { repository, tag, because }).await?;
    let erased = committed.events.iter().find_map(|event| match event {
        Event::TagErased { tag, was, .. } => {
            Some(Erased { tag: tag.to_string(), was: was.to_string(), seq: committed.seq })
        }
        _ => None,
    });
    let erased = erased.ok_or_else(|| ApiRefusal::new(ErrorType::InternalError, "the erasure left no event"))?;
    Ok(HttpResponse::Ok().json(erased))
}
