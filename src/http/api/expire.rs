//! A tag that ends now, in the words of Quay.
//!
//! Quay keeps deleted tags for a while, in which they can be restored, and this takes one out of that "time machine".
//! There is none here: what a tag pointed at stays in the log for good, and a manifest stays in its repository until it
//! is deleted. So a live tag can be ended, and of a dead one nothing is left that could be.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::Deserialize;
use serde_json::json;
use tagstone_schema::{Digest, RepositoryName, Tag};
use utoipa::ToSchema;

use super::error::ApiRefusal;
use super::tag::digest;
use super::tags_deletion::TagsDeleted;
use super::{ApiAnswer, json as body};
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Command, Condition, Rejection, WriteError};

/// What is to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Expire {
    /// Digest that the tag points at. It may be left out for a live tag, which then ends wherever it points.
    manifest_digest: Option<String>,
    /// Without effect: the children of an index have no tags of their own here that would end with it. Their own tags
    /// stay, as they do in Quay.
    #[serde(default)]
    #[expect(dead_code, reason = "scripts written for Quay send it, and there is nothing that it could change")]
    include_submanifests: bool,
    /// Whether the live tag is meant. Without it a tag that is gone is meant, of which nothing can be ended.
    #[serde(default)]
    is_alive: bool,
}

/// POST `/api/v1/repository/<name>/tag/<tag>/expire`
#[utoipa::path(
    post,
    path = "/api/v1/repository/{repository}/tag/{tag}/expire",
    operation_id = "expire_tag",
    tag = "tags",
    summary = "End a live tag now",
    description = "With `is_alive` the tag ends at once, as if it were deleted: its manifest stays in the repository and \
                   its past in the log. Without `is_alive` a tag that is gone is meant. Quay would take it out of its \
                   time machine; there is none here, so nothing is left to end and the answer is 404. What is to be \
                   gone for good is the manifest: delete it by its digest.",
    request_body = Expire,
    responses(
        (status = 200, description = "The tag is gone", body = TagsDeleted),
        (status = 400, description = "`invalid_request`: `manifest_digest` is missing or no digest"),
        (status = 404, description = "`not_found`: there is no such tag, it points elsewhere, or it is gone already"),
        (status = 409, description = "`tag_immutable`: the tag is protected, whether or not it is said to be alive"),
    ),
)]
pub(super) async fn post(exchange: &Exchange<'_>, payload: Payload, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag): (_, Tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let expire: Expire = body::read(exchange, payload).await?;
    let digest = expire.manifest_digest.as_deref().map(digest).transpose()?;
    let (condition, remedy) = match (expire.is_alive, digest) {
        (true, None) => (Condition::Always, "nothing was changed"),
        (true, Some(digest)) => {
            (Condition::PointsAt(vec![digest]), "nothing was changed; name the digest where it points")
        }
        // A tag that is protected is refused as such; no other can be meant.
        (false, Some(_)) => (Condition::PointsAt(Vec::new()), GONE),
        (false, None) => {
            return Err(ApiRefusal::invalid_request(
                "`manifest_digest` is missing: the digest that the tag pointed at",
            ));
        }
    };
    let command = Command::DeleteTag { repository, tag, condition };
    let committed = exchange.commit(command).await.map_err(|error| match error {
        WriteError::Rejected(Rejection::PreconditionFailed { repository, reference, standing }) => {
            nothing_to_end(&repository, &reference, standing.as_ref(), remedy)
        }
        error => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(TagsDeleted::of(&committed)))
}

const GONE: &str = "of a tag that is gone nothing is left to expire: its past stays in the log, and the manifest goes \
                    when it is deleted by its digest; for a live tag, say `is_alive`";

fn nothing_to_end(repository: &RepositoryName, tag: &str, standing: Option<&Digest>, remedy: &str) -> ApiRefusal {
    let stands = standing.map_or_else(|| "does not exist".to_owned(), |digest| format!("points at {digest}"));
    let message = format!("tag {tag} of repository {repository} {stands}; {remedy}");
    let refusal = ApiRefusal::not_found(message).with("repository", json!(repository)).with("tags", json!([tag]));
    match standing {
        Some(digest) => refusal.with("digest", json!(digest)),
        None => refusal,
    }
}
