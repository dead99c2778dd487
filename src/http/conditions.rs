//! Conditional requests (RFC 9110, section 13).

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use tagstone_schema::Digest;

use super::error::{Code, Refusal};
use crate::registry::Condition;

/// The entity tag of content: its digest in quotes.
pub(super) fn etag(digest: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{digest}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` says that the client has this content already.
pub(super) fn is_unchanged(request: &HttpRequest, digest: &str) -> bool {
    request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == digest)
    })
}

/// Whether `If-Range` allows a part to be answered. Only the entity tag can: there are no dates.
pub(super) fn range_applies(request: &HttpRequest, digest: &str) -> bool {
    request
        .headers()
        .get(header::IF_RANGE)
        .is_none_or(|value| value.to_str().is_ok_and(|tag| tag.trim().trim_matches('"') == digest))
}

/// What `If-Match` and `If-None-Match` demand of the tag that a request writes.
pub(super) fn of_write(request: &HttpRequest) -> Result<Condition, Refusal> {
    match (entity_tags(request, &header::IF_MATCH)?, entity_tags(request, &header::IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::Always),
        (Some(Listed::Any), None) => Ok(Condition::Exists),
        (Some(Listed::These(digests)), None) => Ok(Condition::PointsAt(digests)),
        (None, Some(Listed::Any)) => Ok(Condition::Absent),
        (None, Some(Listed::These(digests))) => Ok(Condition::PointsElsewhere(digests)),
        (Some(_), Some(_)) => Err(Refusal::bad_request(
            Code::Unsupported,
            "give either If-Match or If-None-Match: together they have no useful meaning here",
        )),
    }
}

enum Listed {
    Any,
    These(Vec<Digest>),
}

/// An entity tag that is no digest matches nothing, as no tag can point there; it is not an error.
fn entity_tags(request: &HttpRequest, name: &HeaderName) -> Result<Option<Listed>, Refusal> {
    let mut digests = Vec::new();
    let mut given = false;
    for value in request.headers().get_all(name) {
        given = true;
        let list = value.to_str().map_err(|_| {
            Refusal::bad_request(Code::Unsupported, format!("the header {name} must be ASCII: \"<digest>\" or *"))
        })?;
        if list.trim() == "*" {
            return Ok(Some(Listed::Any));
        }
        digests.extend(list.split(',').filter_map(|tag| {
            let tag = tag.trim();
            // Only If-None-Match compares weakly (RFC 9110, 13.1.1 and 13.1.2).
            let strong = tag.strip_prefix("W/").filter(|_| *name == header::IF_NONE_MATCH).unwrap_or(tag);
            strong.trim_matches('"').parse::<Digest>().ok()
        }));
    }
    Ok(given.then_some(Listed::These(digests)))
}
