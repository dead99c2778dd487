//! A whole repository.

use actix_web::HttpResponse;

use super::ApiAnswer;
use crate::http::exchange::{Exchange, writable};
use crate::registry::Command;

/// DELETE `/api/v1/repository/<name>`
#[utoipa::path(
    delete,
    path = "/api/v1/repository/{repository}",
    operation_id = "delete_repository",
    tag = "repositories",
    summary = "Delete a repository with everything in it",
    description = "Names of tags that were immutable stay spent, also in a repository that is made again under the name.",
    responses(
        (status = 204, description = "The repository is gone"),
        (status = 404, description = "`not_found`: there is no such repository"),
        (status = 409, description = "`tag_immutable`: it holds protected tags, which `tags` names"),
    ),
)]
pub(super) async fn delete(exchange: &Exchange<'_>, name: &str) -> ApiAnswer {
    let repository = writable(name)?;
    exchange.commit(Command::DeleteRepository { repository }).await?;
    Ok(HttpResponse::NoContent().finish())
}
