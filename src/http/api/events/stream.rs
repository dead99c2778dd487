//! The live stream.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use futures_util::{StreamExt, stream};
use tagstone_replay::audit::{Archive, Filter, Place};
use tagstone_schema::{Seq, Timestamp};

use super::feed::{Feed, Source, id_of};
use super::form::EventSchema;
use super::parameters::{FilterParameters, filter};
use super::visible::Viewer;
use crate::http::api::ApiAnswer;
use crate::http::api::archive::{Unanswered, archive};
use crate::http::api::error::ApiRefusal;
use crate::http::connections::Connection;
use crate::http::exchange::Exchange;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// When a client that has lost its stream tries again, in milliseconds.
const RETRY: u32 = 3_000;

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// Behind the event that a client saw last.
    Behind(Place),
    /// With this record.
    Record(Seq),
    /// With the first record.
    First,
    /// With what happens from now on.
    Now,
}

/// GET `/api/v1/events/stream`
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    operation_id = "stream_events",
    tag = "events",
    summary = "What happens, as it happens: server-sent events",
    description = "Each event has its place as `id`, its kind as `event`, and as `data` what the list of events shows. The stream goes \
                   on with the event behind `Last-Event-ID`, also on another connection and after a restart of the registry, and \
                   leaves out and repeats nothing. Otherwise it begins with record `from_seq`; otherwise with what happened at \
                   `since`; otherwise with what happens from now on. A comment is sent where nothing else was for 15 seconds; a client \
                   that reads nothing for 3 minutes is cut off.",
    params(
        FilterParameters,
        ("from_seq" = Option<u64>, Query, description = "Begin with this record; at most one beyond the last of the log"),
        ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that the client has seen"),
    ),
    responses(
        (status = 200, description = "A stream that does not end by itself", content((EventSchema = "text/event-stream"))),
        (status = 400, description = "`invalid_request`: a parameter is not what it has to be, or the beginning is not in the log"),
        (status = 503, description = "`unavailable`: as many streams are open as there may be, or the index of history is \
                                      behind or has failed"),
    ),
)]
pub(in crate::http::api) async fn get(exchange: &Exchange<'_>) -> ApiAnswer {
    let site = exchange.site;
    let (mut filter, from_seq) = filters(exchange)?;
    let last_seen = exchange.headers().get(LAST_EVENT_ID).map(last_seen).transpose()?;
    let head = site.published.load().head;
    let since = filter.since;
    let beginning = beginning(last_seen, from_seq, since, head.seq)?;
    // What is over is passed at the beginning; what is to come is looked at with every event.
    filter.since = since.filter(|since| *since > head.time);
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")));
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")));
    if exchange.request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let opened = site.streams.open()?;
    let archive = archive(exchange).await?;
    let (position, id) = site.archive_questions.ask(move || position(&archive, beginning, since, head.seq)).await?;
    let greeting = format!("retry: {RETRY}\n{}: tagstone\n\n", id.map(|id| format!("id: {id}\n")).unwrap_or_default());
    let source = Source { history: site.history.clone(), questions: site.archive_questions.clone() };
    let busy = Connection::of(exchange.request).map(Connection::busy_with_stream);
    // Whatever ends the stream, nothing else is answered on its connection.
    response.force_close();
    let feed = Feed::new(source, filter, position, Viewer::of(exchange), opened).greeting_with(greeting).on(busy);
    let events = stream::unfold(feed, |mut feed| async move { Some((Ok::<_, Infallible>(feed.next().await?), feed)) });
    Ok(response.streaming(events.boxed_local()))
}

/// The filters of a stream. One that would end it has no place here.
fn filters(exchange: &Exchange<'_>) -> Result<(Filter, Option<Seq>), ApiRefusal> {
    let ends = ["until", "to_seq"];
    let mut filter = filter(&exchange.query(), &[], &ends)?;
    for (name, is_given) in ends.into_iter().zip([filter.until.is_some(), filter.to_seq.is_some()]) {
        if is_given {
            return Err(ApiRefusal::invalid_request(format!(
                "a stream has no end, so there is no `{name}` for it; /api/v1/events?order=asc&{name}=... has one"
            )));
        }
    }
    let from_seq = filter.from_seq.take();
    Ok((filter, from_seq))
}

fn last_seen(value: &HeaderValue) -> Result<Place, ApiRefusal> {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse().map_err(|error| {
        let shown: String = text.chars().take(80).collect();
        ApiRefusal::invalid_request(format!("`Last-Event-ID: {shown}` is no id of an event: {error}"))
    })
}

fn beginning(
    last_seen: Option<Place>,
    from_seq: Option<Seq>,
    since: Option<Timestamp>,
    head: Seq,
) -> Result<Beginning, ApiRefusal> {
    if let Some(place) = last_seen {
        if !(1..=head).contains(&place.seq) {
            return Err(ApiRefusal::invalid_request(format!(
                "`Last-Event-ID: {place}` is not in this log, whose records are 1 to {head}; events that were sent are never \
                 taken back, so it is of another registry, or this one stands on an older copy of its log"
            )));
        }
        return Ok(Beginning::Behind(place));
    }
    match (from_seq, since) {
        (Some(seq), _) if seq > head.saturating_add(1) => Err(ApiRefusal::invalid_request(format!(
            "`from_seq={seq}` is beyond the log, whose records are 1 to {head}; give a record from 1 to {}, the next one",
            head.saturating_add(1)
        ))),
        (Some(seq), _) => Ok(Beginning::Record(seq)),
        (None, Some(_)) => Ok(Beginning::First),
        (None, None) => Ok(Beginning::Now),
    }
}

/// The place behind which a stream begins, and the id that stands for it. Who begins with what happens from now on is told an id at
/// once: breaking off before the first event, he goes on from there.
fn position(
    archive: &Archive,
    beginning: Beginning,
    since: Option<Timestamp>,
    head: Seq,
) -> Result<(Place, Option<Place>), Unanswered> {
    let (place, id) = match beginning {
        Beginning::Behind(place) => (place, None),
        Beginning::Record(seq) => (Place::last_of(seq.saturating_sub(1)), None),
        Beginning::First => (Place::last_of(0), None),
        Beginning::Now => (Place::last_of(head), id_of(archive, Place::last_of(head))?),
    };
    let Some(since) = since else { return Ok((place, id)) };
    let earlier = archive.seq_at(Timestamp(since.0.saturating_sub(1)))?;
    Ok((place.max(Place::last_of(earlier.min(head))), id))
}
