//! One tag of a repository.

use actix_web::HttpResponse;

use super::ApiAnswer;
use super::error::ApiRefusal;
use crate::http::conditions;
use crate::http::exchange::{Exchange, writable};
use crate::registry::Command;

/// DELETE `/api/v1/repository/<name>/tag/<tag>`: the tag goes, the manifest stays.
#[utoipa::path(
    delete,
    path = "/api/v1/repository/{repository}/tag/{tag}",
    operation_id = "delete_tag",
    tag = "tags",
    summary = "Delete a tag; the manifest stays",
    params(("If-Match" = Option<String>, Header, description = "Digest in quotes that the tag must point at now, or `*`")),
    responses(
        (status = 204, description = "The tag is gone"),
        (status = 404, description = "`not_found`: there is no such tag, or no such repository"),
        (status = 412, description = "`precondition_failed`: the tag points elsewhere"),
    ),
)]
pub(super) async fn delete(exchange: &Exchange<'_>, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let condition = conditions::of_write(exchange.request)?;
    exchange.commit(Command::DeleteTag { repository, tag, condition }).await?;
    Ok(HttpResponse::NoContent().finish())
}
