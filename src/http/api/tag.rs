//! One tag of a repository: changed and deleted.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Deserializer, Serialize};
use tagstone_schema::event::Action;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};
use utoipa::ToSchema;

use super::error::ApiRefusal;
use super::{ApiAnswer, json};
use crate::http::conditions;
use crate::http::demand::Demand;
use crate::http::door::forbidden;
use crate::http::exchange::{Exchange, writable};
use crate::registry::{Command, Expiry, Lock, Rejection, SetTag};

/// What is to be changed about a tag. What is not named stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagChange {
    /// When the tag is to expire, in Unix seconds or as RFC 3339; `null` for never.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Instant>)]
    expiration: Option<Option<Instant>>,
    /// `true` locks the tag by hand, `false` lifts that lock; what a policy protects stays protected.
    immutable: Option<bool>,
    /// Digest of the manifest that the tag is to point at; the tag is made if it does not exist.
    manifest_digest: Option<String>,
}

/// An instant.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected Unix seconds, or an instant such as \"2027-01-31T12:00:00Z\"")]
enum Instant {
    /// Unix seconds.
    Seconds(f64),
    /// RFC 3339.
    Text(String),
}

/// A tag, as it is now.
#[derive(Serialize, ToSchema)]
pub(super) struct TagNow {
    tag: String,
    /// Digest of the manifest that it points at.
    digest: String,
    /// Whether it is protected: by hand, or by a policy.
    immutable: bool,
    /// Whether it is locked by hand.
    locked: bool,
    /// When it expires (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expiration: Option<String>,
    /// Stands here, as `true`, where the tag is gone again: its time was over and only its protection, which was lifted,
    /// had kept it; or somebody has deleted it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<bool>,
}

/// PUT `/api/v1/repository/<name>/tag/<tag>`: all that is asked for in one record, or nothing.
#[utoipa::path(
    put,
    path = "/api/v1/repository/{repository}/tag/{tag}",
    operation_id = "change_tag",
    tag = "tags",
    summary = "Point a tag at a manifest, lock or unlock it, let it expire",
    description = "Everything that is asked for is one change, or nothing is changed. What is so already is no change. \
                   A lock that is lifted is lifted before all else, and a lock that is set is set before the expiration: \
                   `immutable: true` together with an `expiration` is refused, as an immutable tag does not expire.",
    request_body = TagChange,
    responses(
        (status = 201, description = "The tag as it is now", body = TagNow),
        (status = 400, description = "`invalid_request`: nothing is asked for, or the expiration is over already"),
        (status = 404, description = "`not_found`: there is no such repository or manifest; or no such tag, and no \
                                      `manifest_digest` to make it"),
        (status = 409, description = "`tag_immutable`: the tag is protected and can neither move nor expire; \
                                      `tag_spent`: the name can only come back as another digest"),
    ),
)]
pub(super) async fn put(exchange: &Exchange<'_>, payload: Payload, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag): (_, Tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let change: TagChange = json::read(exchange, payload).await?;
    if change.expiration.is_none() && change.immutable.is_none() && change.manifest_digest.is_none() {
        return Err(ApiRefusal::invalid_request(
            "nothing is asked for: give `expiration`, `immutable` or `manifest_digest`",
        ));
    }
    let expiry = match change.expiration {
        None => Expiry::Keep,
        Some(None) => Expiry::Never,
        Some(Some(instant)) => Expiry::At(instant.in_future(exchange.now())?),
    };
    if expiry != Expiry::Keep && !exchange.caller.may(Action::Delete, name) {
        return Err(forbidden(exchange, Demand::PullAndDelete(name), "let a tag expire, as that deletes it").into());
    }
    if change.immutable == Some(false) && !exchange.caller.is_administrator() {
        return Err(forbidden(exchange, Demand::Administrator, "unlock a tag, which is for administrators").into());
    }
    let lock = match change.immutable {
        None => Lock::Keep,
        Some(true) => Lock::Lock,
        Some(false) => Lock::Unlock,
    };
    let manifest = change.manifest_digest.as_deref().map(digest).transpose()?;
    let now = set(exchange, SetTag { repository, tag, manifest, expiry, lock }).await?;
    Ok(HttpResponse::Created().json(now))
}

/// Changes a tag, and tells how it is afterwards.
pub(super) async fn set(exchange: &Exchange<'_>, change: SetTag) -> Result<TagNow, ApiRefusal> {
    let (repository, tag) = (change.repository.clone(), change.tag.clone());
    let before = TagNow::of(exchange, &repository, &tag).map(|before| before.digest);
    let digest = change.manifest.as_ref().map(Digest::to_string).or(before);
    exchange.commit(Command::SetTag(Box::new(change))).await?;
    let gone = |digest| TagNow {
        tag: tag.to_string(),
        digest,
        immutable: false,
        locked: false,
        expiration: None,
        gone: Some(true),
    };
    let now = TagNow::of(exchange, &repository, &tag).or_else(|| digest.map(gone));
    now.ok_or_else(|| Rejection::TagUnknown { repository, tag }.into())
}

impl TagNow {
    /// The tag as it is, if it is there.
    fn of(exchange: &Exchange<'_>, repository: &RepositoryName, tag: &Tag) -> Option<Self> {
        let snapshot = exchange.site.published.load();
        let live = snapshot.state.live(repository, exchange.now());
        let live = live.as_ref()?;
        let (_, standing) = live.tag(tag.as_str())?;
        Some(Self {
            tag: tag.to_string(),
            digest: standing.digest().to_string(),
            immutable: live.protection.protects(tag, standing),
            locked: standing.locked().is_some(),
            expiration: standing.expires().map(|at| at.to_string()),
            gone: None,
        })
    }
}

impl Instant {
    /// The first second that has no text in every time zone, hours before the end of the year 9999.
    const END: f64 = 253_402_207_201.0;

    fn in_future(self, now: Timestamp) -> Result<Timestamp, ApiRefusal> {
        let at = match self {
            Self::Text(text) => {
                text.parse().map_err(|error| ApiRefusal::invalid_request(format!("`expiration`: {error}")))?
            }
            Self::Seconds(seconds) if seconds < Self::END => Timestamp(micros(seconds)),
            Self::Seconds(_) => {
                return Err(ApiRefusal::invalid_request(
                    "`expiration` is beyond the year 9999; give Unix seconds, not milliseconds",
                ));
            }
        };
        if at > now {
            return Ok(at);
        }
        Err(ApiRefusal::invalid_request(format!(
            "`expiration` is {at}, which is over; now it is {now}; delete the tag if it is to go at once"
        )))
    }
}

/// The number is below the year 10000; one before all time becomes the beginning of time, which is over too.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and fractions of microseconds are dropped")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

/// Tells a field that is `null` from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Instant>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The manifest that a body names.
pub(super) fn digest(text: &str) -> Result<Digest, ApiRefusal> {
    text.parse().map_err(|error| ApiRefusal::invalid_request(format!("`manifest_digest`: {error}")))
}

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
        (status = 409, description = "`tag_immutable`: the tag is protected; `tags` says by what"),
        (status = 412, description = "`precondition_failed`: the tag points elsewhere"),
    ),
)]
pub(super) async fn delete(exchange: &Exchange<'_>, name: &str, tag: &str) -> ApiAnswer {
    let (repository, tag) = (writable(name)?, tag.parse().map_err(ApiRefusal::from)?);
    let condition = conditions::of_write(exchange.request)?;
    exchange.commit(Command::DeleteTag { repository, tag, condition }).await?;
    Ok(HttpResponse::NoContent().finish())
}
