//! Quay's logs: what happened in a repository or below a namespace, in the form that scripts written for Quay read.
//!
//! They are another view of the events that `events` lists, not a second record: [`entry`] tells what an event is called there. What
//! Quay has no name for (blobs, manifests without a tag, refused attempts) is left out.

mod entry;
mod parameters;
mod past;

use actix_web::HttpResponse;
use serde::Serialize;
use tagstone_replay::audit::{Archive, ArchiveError, Filter, Order, Place, Query};
use tagstone_schema::{Namespace, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::ApiAnswer;
use super::archive::{Unanswered, archive};
use super::error::ApiRefusal;
use super::events::visible::Viewer;
use super::page::token;
use crate::http::exchange::{Exchange, readable};
use crate::registry::Rejection;
use entry::LogEntry;
use parameters::LogQuery;
use past::Past;

/// Entries of a page, as in Quay.
const ENTRIES: usize = 20;

/// Events that the archive is asked for at a time, and questions of one request. What Quay has no name for is passed over.
const ASKED_FOR: usize = 100;
const QUESTIONS: usize = 50;

/// A page of Quay's logs.
#[derive(Serialize, ToSchema)]
pub(super) struct LogPage {
    /// Where the range begins (RFC 2822).
    #[schema(example = "Thu, 01 Jan 2026 00:00:00 -0000")]
    start_time: String,
    /// Where it ends, a day behind `endtime`.
    #[schema(example = "Fri, 02 Jan 2026 00:00:00 -0000")]
    end_time: String,
    /// The newest first.
    logs: Vec<LogEntry>,
    /// To be given back as `?next_page=` for the page behind this one. A page may be short, or even empty, and have one all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<String>,
}

/// The parameters of logs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read by LogQuery")]
struct Parameters {
    /// The first day, `%m/%d/%Y` in UTC; a day ago where it is not given.
    #[param(example = "01/31/2026")]
    starttime: Option<String>,
    /// The last day, which belongs to the range, `%m/%d/%Y` in UTC; now, and a day beyond, where it is not given.
    #[param(example = "01/31/2026")]
    endtime: Option<String>,
    /// Only what this actor did.
    performer: Option<String>,
    /// `next_page` of the page before.
    next_page: Option<String>,
}

/// GET `/api/v1/repository/<name>/logs`
#[utoipa::path(
    get,
    path = "/api/v1/repository/{repository}/logs",
    operation_id = "list_repository_logs",
    tag = "events",
    summary = "What happened in a repository, as Quay tells it; the newest first",
    description = "The logs of a repository outlive it. `/api/v1/events` has all that happened, with every field.",
    params(Parameters),
    responses(
        (status = 200, description = "A page of logs", body = LogPage),
        (status = 400, description = "`invalid_request`: a parameter is not what it has to be"),
        (status = 404, description = "`not_found`: there never was such a repository"),
        (status = 503, description = "`unavailable`: the index of history is behind or has failed"),
    ),
)]
pub(super) async fn of_repository(exchange: &Exchange<'_>, name: &str) -> ApiAnswer {
    let repository = readable(name)?;
    let filter = Filter { repository: Some(repository.clone()), ..Filter::default() };
    match logs(exchange, filter).await? {
        Some(page) => Ok(HttpResponse::Ok().json(page)),
        None => Err(Rejection::RepositoryUnknown { repository }.into()),
    }
}

/// GET `/api/v1/organization/<namespace>/logs`
#[utoipa::path(
    get,
    path = "/api/v1/organization/{namespace}/logs",
    operation_id = "list_organization_logs",
    tag = "events",
    summary = "What happened below a namespace, as Quay tells it; the newest first",
    params(Parameters),
    responses(
        (status = 200, description = "A page of logs; an empty one where nothing ever was below the namespace", body = LogPage),
        (status = 400, description = "`invalid_request`: a parameter is not what it has to be"),
        (status = 503, description = "`unavailable`: the index of history is behind or has failed"),
    ),
)]
pub(super) async fn of_organization(exchange: &Exchange<'_>, namespace: &str) -> ApiAnswer {
    let namespace: Namespace = namespace.parse().map_err(ApiRefusal::from)?;
    let filter = Filter { namespace: Some(namespace), ..Filter::default() };
    let query = LogQuery::of(&exchange.query(), exchange.now())?;
    let none = || LogPage::new(query.start, query.end, Vec::new(), None);
    Ok(HttpResponse::Ok().json(logs(exchange, filter).await?.unwrap_or_else(none)))
}

/// A page of logs. None where nothing ever happened that the filter selects.
async fn logs(exchange: &Exchange<'_>, filter: Filter) -> Result<Option<LogPage>, ApiRefusal> {
    let query = LogQuery::of(&exchange.query(), exchange.now())?;
    let (archive, viewer) = (archive(exchange).await?, Viewer::of(exchange));
    let past = Past { snapshot: exchange.site.published.snapshot(), archive };
    let work = move || {
        let anything = Query { filter: filter.clone(), order: Order::Descending, after: None, limit: 1 };
        if is_nothing(&past.archive, &anything)? {
            return Ok(None);
        }
        let (logs, next) = page(&past, query.of_events(filter), &viewer)?;
        Ok(Some(LogPage::new(query.start, query.end, logs, next)))
    };
    Ok(exchange.site.archive_questions.ask(work).await?)
}

fn is_nothing(archive: &Archive, query: &Query) -> Result<bool, Unanswered> {
    let page = archive.events(query)?;
    Ok(page.events.is_empty() && page.next.is_none())
}

fn page(past: &Past, mut query: Query, viewer: &Viewer) -> Result<(Vec<LogEntry>, Option<Place>), Unanswered> {
    let mut logs = Vec::new();
    query.limit = ASKED_FOR;
    let is_damage = |error: &Unanswered| matches!(error, Unanswered::Archive(ArchiveError::Record { .. }));
    for _ in 0..QUESTIONS {
        let page = match past.archive.events(&query).map_err(Unanswered::from) {
            // What is sound is told. Whoever goes on from there is told the rest.
            Err(error) if is_damage(&error) && !logs.is_empty() => return Ok((logs, query.after)),
            page => page?,
        };
        for (at, found) in page.events.iter().enumerate() {
            let Some(event) = found.event().filter(|event| viewer.sees(event)) else { continue };
            match LogEntry::of(&event, past) {
                Err(error) if is_damage(&error) && !logs.is_empty() => return Ok((logs, Some(event.place().next()))),
                entry => logs.extend(entry?),
            }
            if logs.len() == ENTRIES {
                let is_last = at + 1 == page.events.len() && page.next.is_none();
                return Ok((logs, (!is_last).then(|| event.place())));
            }
        }
        if page.next.is_none() {
            return Ok((logs, None));
        }
        query.after = page.next;
    }
    Ok((logs, query.after))
}

impl LogPage {
    fn new(start: Timestamp, end: Timestamp, logs: Vec<LogEntry>, next: Option<Place>) -> Self {
        let next_page = next.map(|place| token(&place.to_string()));
        Self { start_time: start.rfc2822(), end_time: end.rfc2822(), logs, next_page }
    }
}
