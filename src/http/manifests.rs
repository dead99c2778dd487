//! Reading manifests (distribution-spec, "Pulling manifests").

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use serde_json::json;
use tagstone_replay::audit::past::Question;
use tagstone_replay::fold::{Live, Manifest, Repository, State};
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::asked::{Asked, Kind};
use super::conditions::{etag, is_unchanged};
use super::connections::Connection;
use super::error::{Code, Refusal};
use super::exchange::{Answer, CONTENT_DIGEST, Exchange};
use super::file_body::{MemoryBody, NoBody};
use super::site::Site;
use crate::registry::Rejection;

/// Whether the tag can be moved or deleted.
const TAG_IMMUTABLE: HeaderName = HeaderName::from_static("tagstone-tag-immutable");

/// When the tag expires, if it does.
const TAG_EXPIRES: HeaderName = HeaderName::from_static("tagstone-tag-expires");

/// Whether that time is over and the tag is there only because it is protected.
const TAG_OUTLIVES_EXPIRY: HeaderName = HeaderName::from_static("tagstone-tag-outlives-expiry");

fn yes_or_no(yes: bool) -> HeaderValue {
    HeaderValue::from_static(if yes { "true" } else { "false" })
}

/// What a path names a manifest by.
pub(super) enum Reference {
    /// A digest.
    Digest(Digest),
    /// A tag.
    Tag(Tag),
}

impl Reference {
    /// Reads the end of a path. Only digests hold a colon.
    pub(super) fn of(text: &str) -> Result<Self, Refusal> {
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

/// What is answered of a manifest, without its bytes.
struct Found {
    digest: Digest,
    size: u64,
    media_type: HeaderValue,
    /// Where it was asked for by a tag: that tag.
    tag: Option<FoundTag>,
}

/// What a tag says of itself.
struct FoundTag {
    immutable: bool,
    expires: Option<Timestamp>,
    outlives_expiry: bool,
}

/// GET and HEAD `/v2/<name>/manifests/<reference>`
pub(super) async fn get(exchange: &Exchange<'_>, name: &str, reference: &str) -> Answer {
    let asked = Asked::of(exchange, name).await?;
    let found = find(&*asked.state(exchange, || question(reference)).await?, &asked, reference)?;
    promise(exchange, &asked, &found).await?;
    asked.refuse_removed(exchange, Kind::Manifest, &found.digest).await?;
    let digest = found.digest.to_string();
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_DIGEST, header_value(&digest)));
    response.insert_header((header::ETAG, etag(&digest)));
    if let Some(tag) = &found.tag {
        response.insert_header((TAG_IMMUTABLE, yes_or_no(tag.immutable)));
        if let Some(expires) = tag.expires {
            response.insert_header((TAG_EXPIRES, header_value(&expires.to_string())));
            response.insert_header((TAG_OUTLIVES_EXPIRY, yes_or_no(tag.outlives_expiry)));
        }
    }
    // Without the bytes, a client that asks first is told to push them again.
    let site = exchange.site;
    if !site.content.manifests.contains(&found.digest) && !site.content.segments.contains(&found.digest) {
        return Err(asked.absent(exchange, Kind::Manifest, &found.digest).await);
    }
    if is_unchanged(exchange.request, &digest) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    response.insert_header((header::CONTENT_TYPE, found.media_type));
    if exchange.request.method() == Method::HEAD {
        return Ok(head(&mut response, found.size));
    }
    let Some(bytes) = read(site, &found.digest).await? else {
        return Err(asked.absent(exchange, Kind::Manifest, &found.digest).await);
    };
    site.metrics.bytes_sent(bytes.len() as u64);
    Ok(whole(exchange, &mut response, bytes))
}

/// A manifest that nothing holds is kept from collection for a while by the client being told of it: it may be about to push an
/// index that does.
async fn promise(exchange: &Exchange<'_>, asked: &Asked<'_>, found: &Found) -> Result<(), Refusal> {
    let is_idle = |repository: Repository<'_>, digest: &Digest| repository.idle_since(digest).is_some();
    let is_here = |repository: Repository<'_>, digest: &Digest| repository.manifest(digest).is_some();
    if found.tag.is_some() || asked.is_there_for_whoever_is_told(exchange, &found.digest, is_idle, is_here).await {
        return Ok(());
    }
    Err(Rejection::ManifestUnknown { repository: asked.name.clone(), digest: found.digest.clone() }.into())
}

/// An answer from memory. A long one keeps its connection busy for as long as the client reads on.
pub(super) fn whole(exchange: &Exchange<'_>, response: &mut HttpResponseBuilder, bytes: Bytes) -> HttpResponse {
    match Connection::of(exchange.request) {
        Some(connection) if bytes.len() > MemoryBody::PIECE_BYTES => {
            response.body(MemoryBody::new(bytes, connection.busy()))
        }
        _ => response.body(bytes),
    }
}

/// An answer that says how long the body is and does not have it.
pub(super) fn head(response: &mut HttpResponseBuilder, length: u64) -> HttpResponse {
    response.body(NoBody(length))
}

/// What has to be known of a repository to answer for a reference.
fn question(reference: &str) -> Question {
    match Reference::of(reference) {
        Ok(Reference::Digest(digest)) => Question::Digest(digest),
        Ok(Reference::Tag(tag)) => Question::Tag(tag),
        Err(_) => Question::Existence,
    }
}

fn find(state: &State, asked: &Asked<'_>, reference: &str) -> Result<Found, Refusal> {
    let (name, now) = (&asked.name, asked.now);
    let digest = if reference.contains(':') { Some(reference.parse::<Digest>()?) } else { None };
    let live = match live(state, asked) {
        Ok(live) => live,
        // A repository that is gone still knows its spent names.
        Err(refusal) => return Err(spent(state, name, reference, now).unwrap_or(refusal)),
    };
    if let Some(digest) = digest {
        let manifest = live
            .repository
            .manifest(&digest)
            .ok_or_else(|| asked.refuse(Rejection::ManifestUnknown { repository: name.clone(), digest }))?;
        return Ok(found(manifest, None));
    }
    // A text that can be no tag is looked up like any other: it does not exist, which is what is answered.
    let Some((tag, standing)) = live.tag(reference) else {
        if let Some(refusal) = spent(state, name, reference, now) {
            return Err(refusal);
        }
        return Err(match reference.parse::<Tag>() {
            Ok(tag) => asked.refuse(Rejection::TagUnknown { repository: name.clone(), tag }),
            Err(error) => Refusal::not_found(Code::ManifestUnknown, error.to_string()),
        });
    };
    let tag = FoundTag {
        immutable: live.protection.protects(tag, standing),
        expires: standing.expires(),
        outlives_expiry: live.outlives_expiry(standing),
    };
    Ok(found(standing.manifest(), Some(tag)))
}

/// The answer for a name that was removed and can only come back as what it was.
fn spent(state: &State, name: &RepositoryName, tag: &str, now: Timestamp) -> Option<Refusal> {
    let spent = state.spent_at(name, tag, now)?;
    let (only, removed) = (&spent.only, spent.since.to_string());
    let message = format!(
        "tag {tag} is not in repository {name}: the name is spent, its tag was removed at {removed}, and only {only} can \
         return under it"
    );
    let mut detail = json!({
        "reason": "TAG_SPENT", "repository": name, "tag": tag, "only_digest": only, "removed": removed,
    });
    if let Some(seq) = spent.seq {
        detail["seq"] = json!(seq);
    }
    Some(Refusal::not_found(Code::ManifestUnknown, message).with_detail(detail))
}

fn found(manifest: &Manifest, tag: Option<FoundTag>) -> Found {
    Found {
        digest: manifest.digest.clone(),
        size: manifest.size,
        media_type: header_value(manifest.media_type().as_str()),
        tag,
    }
}

/// A repository that is read.
pub(super) fn known<'a>(state: &'a State, asked: &Asked<'_>) -> Result<Repository<'a>, Refusal> {
    let unknown = || asked.refuse(Rejection::RepositoryUnknown { repository: asked.name.clone() });
    state.repository(asked.name.as_str()).ok_or_else(unknown)
}

/// A repository that is read, with its tags as they are at the time of the request, or were at the one it asks about.
pub(super) fn live<'a>(state: &'a State, asked: &'a Asked<'_>) -> Result<Live<'a>, Refusal> {
    let unknown = || asked.refuse(Rejection::RepositoryUnknown { repository: asked.name.clone() });
    state.live(&asked.name, asked.now).ok_or_else(unknown)
}

/// The bytes of a manifest, verified when they came from the disk; none if they are not there.
pub(super) async fn read(site: &Site, digest: &Digest) -> Result<Option<Bytes>, Refusal> {
    if let Some(bytes) = site.content.manifests.get(digest) {
        return Ok(Some(bytes));
    }
    let (content, wanted) = (site.content.clone(), digest.clone());
    let read = tokio::task::spawn_blocking(move || content.read_manifest(&wanted)).await;
    match read.map_err(std::io::Error::other).flatten() {
        Ok(found) => Ok(found),
        Err(error) => {
            tracing::error!(%digest, %error, "a manifest cannot be read");
            let message =
                format!("manifest {digest} is known, but its bytes cannot be read; the operator has to look into it");
            Err(Refusal::internal(Code::ManifestUnknown, message))
        }
    }
}

/// A header value of text that was checked: digests, media types and names are visible ASCII.
pub(super) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
