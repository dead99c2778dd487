//! The history of a tag (draft of the distribution specification: distribution-spec pull request 606, extensions/_oci.md).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use tagstone_replay::audit::{TagChange, TagEntry, TagHistory};
use tagstone_schema::media_type::OCI_INDEX;
use tagstone_schema::{Digest, MediaType, Tag, Timestamp};

use super::asked::Asked;
use super::error::{Code, Refusal};
use super::exchange::{Answer, Exchange};
use super::manifests::whole;
use super::page::{Page, link};
use super::query::Query;

/// The answer: an image index. It is written straight from the entries, which are a thousand for a busy tag.
#[derive(Serialize)]
struct Index<'a> {
    manifests: Vec<Descriptor<'a>>,
    #[serde(rename = "mediaType")]
    media_type: &'static str,
    #[serde(rename = "schemaVersion")]
    schema_version: u8,
}

#[derive(Serialize)]
struct Descriptor<'a> {
    annotations: Annotations,
    digest: &'a Digest,
    #[serde(rename = "mediaType")]
    media_type: &'a MediaType,
    size: u64,
}

#[derive(Serialize)]
struct Annotations {
    /// What happened: `created` or `deleted`.
    #[serde(rename = "org.opencontainers.distribution.tag.event")]
    event: &'static str,
    /// When it happened; also the cursor.
    #[serde(rename = "org.opencontainers.distribution.tag.timestamp")]
    timestamp: String,
}

/// GET `/v2/<name>/_oci/tag-history/<tag>`: an index of the manifests that the tag pointed at, newest first. It is empty, not
/// missing, for a repository or tag that never was: by the draft, 404 only means that a registry has no tag history.
pub(super) async fn list(exchange: &Exchange<'_>, name: &str, tag: &str) -> Answer {
    let asked = Asked::of(exchange, name).await.map_err(never_missing)?;
    let query = exchange.query();
    let Asking { page, before, since, digest } = Asking::of(&query, exchange.site.limits.page_entries)?;
    let up_to = asked.past.as_ref().map_or_else(|| exchange.site.published.load().head.seq, |past| past.seq);
    // What can be no tag has no history.
    let found = match tag.parse::<Tag>() {
        Ok(tag) => {
            let repository = asked.name.clone();
            let wanted = TagHistory {
                repository,
                tag,
                up_to,
                before: before.as_ref().map(|(_, at)| *at),
                since: since.as_ref().map(|(_, at)| *at),
                digest: digest.clone(),
                limit: page.size,
            };
            exchange.site.history.of_tag(wanted).await?
        }
        Err(_) => Default::default(),
    };
    let mut response = HttpResponse::Ok();
    if let Some(before) = found.before {
        let (size, before) = (page.size.to_string(), before.to_string());
        let digest = digest.map(|digest| digest.to_string());
        let mut parameters = vec![("n", &*size), ("before", &*before)];
        parameters.extend(since.as_ref().map(|(text, _)| ("since", &**text)));
        parameters.extend(digest.as_ref().map(|digest| ("digest", &**digest)));
        link(&mut response, &format!("/v2/{}/_oci/tag-history/{tag}", asked.path), &parameters);
    }
    let manifests = found.entries.iter().map(descriptor).collect();
    let index = serde_json::to_vec(&Index { manifests, media_type: OCI_INDEX, schema_version: 2 });
    let index = index.map_err(|error| Refusal::internal(Code::Unsupported, error.to_string()))?;
    response.content_type(OCI_INDEX);
    Ok(whole(exchange, &mut response, index.into()))
}

/// What part of a history is asked for. Instants stand with their texts.
pub(super) struct Asking<'a> {
    page: Page<'a>,
    before: Option<(String, Timestamp)>,
    since: Option<(String, Timestamp)>,
    digest: Option<Digest>,
}

impl<'a> Asking<'a> {
    /// Reads `n`, `before`, `since` and `digest`.
    pub(super) fn of(query: &Query<'a>, most: usize) -> Result<Self, Refusal> {
        Ok(Self {
            page: Page::of(query, most)?,
            before: instant(query, "before", Timestamp::parse_up)?,
            since: instant(query, "since", str::parse)?,
            digest: query.one("digest")?.map(|digest| digest.parse::<Digest>()).transpose()?,
        })
    }
}

fn descriptor(entry: &TagEntry) -> Descriptor<'_> {
    let event = match entry.change {
        TagChange::Created => "created",
        TagChange::Deleted => "deleted",
    };
    Descriptor {
        annotations: Annotations { event, timestamp: entry.time.to_string() },
        digest: &entry.digest,
        media_type: &entry.media_type,
        size: entry.size,
    }
}

/// A parameter that is an instant, with its text.
fn instant<E: std::fmt::Display>(
    query: &Query<'_>,
    name: &str,
    read: impl FnOnce(&str) -> Result<Timestamp, E>,
) -> Result<Option<(String, Timestamp)>, Refusal> {
    let Some(text) = query.one(name)? else { return Ok(None) };
    match read(&text) {
        Ok(at) => Ok(Some((text.into_owned(), at))),
        Err(why) => Err(Refusal::bad_request(Code::Unsupported, format!("the parameter `{name}`: {why}"))),
    }
}

/// A point outside of the past is told as a bad request.
fn never_missing(refusal: Refusal) -> Refusal {
    match refusal.status {
        StatusCode::NOT_FOUND => Refusal { status: StatusCode::BAD_REQUEST, ..refusal },
        _ => refusal,
    }
}
