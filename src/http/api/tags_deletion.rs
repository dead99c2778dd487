//! Several tags of a repository deleted at once.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::{Event, Tag};
use utoipa::ToSchema;

use super::error::ApiRefusal;
use super::{ApiAnswer, json};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Command, Committed};

/// The tags that are to go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsToDelete {
    /// One that is named twice is deleted once.
    #[schema(min_items = 1)]
    tags: Vec<String>,
}

/// Tags that are gone.
#[derive(Serialize, ToSchema)]
pub(super) struct TagsDeleted {
    deleted: Vec<DeletedTag>,
    /// The record that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

/// A tag that is gone.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletedTag {
    tag: String,
    /// Digest of the manifest that it pointed at, which stays.
    digest: String,
}

/// POST `/api/v1/repository/<name>/tags/delete`: all of them in one record, or none.
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/tags/delete",
    operation_id = "delete_tags",
    tag = "tags",
    summary = "Delete several tags, all or none; their manifests stay",
    description = "Where some are protected and others unknown, the answer is 409 and names the protected ones.",
    request_body = TagsToDelete,
    responses(
        (status = 200, description = "The tags are gone", body = TagsDeleted),
        (status = 400, description = "`invalid_request`: no tag is named, or one that can be none"),
        (status = 404, description = "`not_found`: there is no such repository, or `tags` are not in it"),
        (status = 409, description = "`tag_immutable`: `tags` are protected, each with what protects it"),
        (status = 413, description = "`too_large`: the tags do not fit into one record; name fewer"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str) -> ApiAnswer {
    let repository = writable(name)?;
    let TagsToDelete { tags } = json::read(exchange, payload).await?;
    if tags.is_empty() {
        return Err(ApiRefusal::invalid_request("`tags` names no tag that is to be deleted"));
    }
    let tags = tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<Tag>, _>>()?;
    let committed = exchange.commit(Command::DeleteTags { repository, tags }).await?;
    Ok(HttpResponse::Ok().json(TagsDeleted::of(&committed)))
}

impl TagsDeleted {
    /// What a commit has deleted.
    pub(super) fn of(committed: &Committed) -> Self {
        let ended = committed.events.iter().filter_map(|event| match event {
            Event::TagsDeleted { tags, .. } => Some(tags),
            _ => None,
        });
        let deleted =
            ended.flatten().map(|ended| DeletedTag { tag: ended.tag.to_string(), digest: ended.was.to_string() });
        Self { deleted: deleted.collect(), seq: committed.seq }
    }
}
