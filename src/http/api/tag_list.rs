//! The tags of a repository, those that were as well: Quay's listing.
//!
//! The archive says what tags there were and when ([`super::tag_stays`]); what it cannot know is asked of the state: whether a live
//! tag is immutable now, and whether it has expired.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use tagstone_replay::audit::{Archive, ArchiveError};
use tagstone_replay::fold::{Live, TagState};
use tagstone_schema::{RepositoryName, Timestamp};
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};
use super::tag_list_query::{ListQuery, MOST_LOOKED_AT};
use super::tag_stays::{ListedStay, Stays};
use crate::history::HistoryError;
use crate::http::exchange::{Exchange, readable};
use crate::registry::{Rejection, Snapshot};

/// A page of the tags that are and were in a repository.
#[derive(Serialize, ToSchema)]
pub(super) struct TagPage {
    /// The newest first: each is a tag at one digest, for as long as it pointed there.
    tags: Vec<TagEntry>,
    /// The number of the page.
    page: u64,
    /// Whether more follow on the next page.
    has_additional: bool,
}

/// A tag at one digest, from one event to another.
#[derive(Serialize, ToSchema)]
struct TagEntry {
    /// The tag.
    name: String,
    /// Whether the tag had pointed at this digest before.
    reversion: bool,
    /// Whether the tag is immutable now; never for one that is no more.
    immutable: bool,
    /// Since when it pointed there (Unix seconds).
    start_ts: i64,
    /// Until when it pointed there, or is going to by its expiry (Unix seconds); absent while no end is in sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ts: Option<i64>,
    /// The digest.
    #[schema(example = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    manifest_digest: String,
    /// Whether the manifest is an index.
    is_manifest_list: bool,
    /// Bytes of the manifest.
    size: u64,
    /// `start_ts` as RFC 2822 text.
    #[schema(example = "Thu, 01 Jan 2026 00:00:00 -0000")]
    last_modified: String,
    /// `end_ts` as RFC 2822 text; where `outlives_expiration` stands, the expiry that has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    /// Stands where an expiry is set and the tag stays all the same, because it is immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    outlives_expiration: Option<bool>,
}

/// GET `/api/v1/repository/<name>/tag/`
#[utoipa::path(
    get,
    path = "/api/v1/repository/{repository}/tag/",
    operation_id = "list_tags",
    tag = "tags",
    summary = "List the tags of a repository, those that are no more too, newest first",
    description = "Each entry is a tag at one digest, for as long as it pointed there. Entries survive the deletion of their \
                   tag, manifest and repository. A request looks at the newest 100,000 entries; what would need more is \
                   refused, and `specificTag` finds it.",
    params(
        ("specificTag" = Option<String>, Query, description = "Only this tag"),
        ("filter_tag_name" = Option<String>, Query, description = "`like:` and a part of the name, in lower or upper case, \
          or `eq:` and all of it"),
        ("limit" = Option<u32>, Query, description = "Entries of a page: 50, at most 100"),
        ("page" = Option<u64>, Query, description = "Number of the page, from 1"),
        ("onlyActiveTags" = Option<bool>, Query, description = "Whether tags that are no more are left out"),
    ),
    responses(
        (status = 200, description = "A page of the list", body = TagPage),
        (status = 400, description = "`invalid_request`: a parameter is not right, or the page lies too deep"),
        (status = 404, description = "`not_found`: there never was such a repository"),
        (status = 503, description = "`unavailable`: the index of history is behind or has failed"),
    ),
)]
pub(super) async fn get(exchange: &Exchange<'_>, name: &str) -> ApiAnswer {
    let repository = readable(name)?;
    let query = ListQuery::of(&exchange.query())?;
    let (site, now) = (exchange.site, exchange.now());
    let snapshot = site.published.snapshot();
    let archive = site.history.archive(snapshot.head.seq).await?;
    let work = move || Ok(page(&archive, &snapshot, &repository, &query, now)?);
    Ok(HttpResponse::Ok().json(site.archive_questions.ask(work).await??))
}

/// A page, or why there is none.
fn page(
    archive: &Archive,
    snapshot: &Snapshot,
    repository: &RepositoryName,
    query: &ListQuery,
    now: Timestamp,
) -> Result<Result<TagPage, ApiRefusal>, ArchiveError> {
    let live = snapshot.state.live(repository, now);
    let stays = Stays { archive, repository, live: live.as_ref(), head: snapshot.head.seq };
    let listed = stays.listed(query)?;
    if listed.stays.is_empty() {
        if live.is_none() && !archive.had_tags(repository)? {
            return Ok(Err(Rejection::RepositoryUnknown { repository: repository.clone() }.into()));
        }
        if listed.is_cut_off {
            return Ok(Err(ApiRefusal::invalid_request(format!(
                "nothing of this page is among the newest {MOST_LOOKED_AT} entries of the repository, and a request looks \
                 at no more; ask for a tag by `specificTag`"
            ))));
        }
    }
    let tags = listed.stays.iter().map(|stay| entry(stay, live.as_ref())).collect();
    Ok(Ok(TagPage { tags, page: query.page, has_additional: listed.has_more }))
}

fn entry(listed: &ListedStay<'_>, live: Option<&Live<'_>>) -> TagEntry {
    let ListedStay { stay, standing, .. } = listed;
    let is_protected = |state: TagState<'_>| live.is_some_and(|live| live.protection.protects(&stay.tag, state));
    let is_immutable = standing.is_some_and(is_protected);
    let expires = standing.and_then(TagState::expires);
    let end = stay.end.map(|end| end.time).or(expires.filter(|_| !is_immutable));
    TagEntry {
        name: stay.tag.to_string(),
        reversion: listed.is_reversion,
        immutable: is_immutable,
        start_ts: stay.since.seconds(),
        end_ts: end.map(Timestamp::seconds),
        manifest_digest: stay.digest.to_string(),
        is_manifest_list: listed.is_index,
        size: stay.size,
        last_modified: stay.since.rfc2822(),
        expiration: end.or(expires).map(Timestamp::rfc2822),
        outlives_expiration: (is_immutable && expires.is_some()).then_some(true),
    }
}

impl From<HistoryError> for ApiRefusal {
    fn from(error: HistoryError) -> Self {
        let refusal = Self::new(ErrorType::Unavailable, error.to_string());
        match error {
            // It helps nobody to try again, so clients are not told when.
            HistoryError::Failed | HistoryError::Damaged(_) => refusal,
            HistoryError::Behind { .. } | HistoryError::InDoubt => {
                refusal.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}
