//! Refused attempts.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::ApiAnswer;
use super::error::ApiRefusal;
use super::page::ApiPage;
use super::whoami::ActorForm;
use crate::http::exchange::Exchange;
use crate::http::site::Site;
use crate::registry::{Place, Recalled, RefusedEntry};

/// A page of refused attempts.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusalList {
    /// The newest first.
    refusals: Vec<RefusedAttempt>,
    /// Attempts that are no longer, or were never, in an entry of the list: it keeps the 10,000 that were
    /// made last. What older records of the log tell beyond those is not counted.
    others: u64,
    /// To be given back as `?next=` for the page behind this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The same attempt, made once or more often, and refused.
#[derive(Serialize, ToSchema)]
struct RefusedAttempt {
    /// When it was made first (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    first: String,
    /// When it was made last.
    #[schema(format = DateTime)]
    last: String,
    actor: ActorForm,
    /// The address it came from.
    address: String,
    repository: String,
    /// The tag that stood in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// What the tag was to point at, or what was to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// `TAG_IMMUTABLE`, `TAG_SPENT`, `IN_USE` or `ACCESS_DENIED`.
    reason: &'static str,
    count: u64,
}

impl From<&RefusedEntry> for RefusedAttempt {
    fn from(entry: &RefusedEntry) -> Self {
        let RefusedEntry { attempt, tally, .. } = entry;
        Self {
            first: tally.first.to_string(),
            last: tally.last.to_string(),
            actor: attempt.actor.clone().into(),
            address: attempt.address.clone(),
            repository: attempt.repository.to_string(),
            tag: attempt.tag.as_ref().map(ToString::to_string),
            digest: attempt.digest.as_ref().map(ToString::to_string),
            reason: attempt.reason.code(),
            count: tally.count,
        }
    }
}

/// The parameters of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read by ApiPage")]
struct Parameters {
    /// The most entries of the answer.
    #[param(minimum = 1)]
    n: Option<u64>,
    /// `next` of the page before.
    next: Option<String>,
}

/// GET `/api/v1/refusals`
#[utoipa::path(
    get,
    path = "/api/v1/refusals",
    operation_id = "list_refusals",
    tag = "log",
    summary = "What was tried and a rule has forbidden; the newest first",
    description = "Equal attempts are one entry with a count. An attempt that is made again moves to the front. Once a \
                   minute, and at a clean stop, what came together is also recorded in the log, where it stays.",
    params(Parameters),
    responses(
        (status = 200, description = "A page of refused attempts", body = RefusalList),
        (status = 400, description = "`invalid_request`: `n` or `next` is not what it has to be"),
        (status = 503, description = "`unavailable`: the index of history is behind or has failed"),
    ),
)]
pub(super) async fn list(exchange: &Exchange<'_>) -> ApiAnswer {
    let most = exchange.site.limits.page_entries;
    let page = ApiPage::of(&exchange.query(), most)?;
    let behind = page.after().map(str::parse::<Place>).transpose().map_err(|_| {
        ApiRefusal::invalid_request("`next` is not from a list of refusals; give back what stood there")
    })?;
    recall(exchange.site).await?;
    // One more than a page, to see whether there is a next one.
    let list = exchange.site.writer.refusals().list(behind, most.saturating_add(1));
    let (entries, next) = page.take(list.entries.iter(), |entry| entry.place.to_string());
    let refusals = entries.into_iter().map(RefusedAttempt::from).collect();
    Ok(HttpResponse::Ok().json(RefusalList { refusals, others: list.others, next }))
}

/// Reads back what was recorded before the start, for the first who asks.
async fn recall(site: &Site) -> Result<(), ApiRefusal> {
    let Some(until) = site.writer.refusals().unrecalled() else { return Ok(()) };
    let archive = site.history.archive(until).await?;
    let recalled = site.archive_questions.ask(move || Ok(Recalled::of(&archive, until)?)).await?;
    site.writer.refusals().recall(&recalled);
    Ok(())
}
