//! Audit queries.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use tagstone_replay::audit::Query;
use utoipa::ToSchema;

use super::form::EventSchema;
use super::gathered::{Enough, Gathered, gather};
use super::parameters::{FilterParameters, ListParameters, ListQuery};
use super::visible::Viewer;
use crate::http::api::ApiAnswer;
use crate::http::api::accept::quality;
use crate::http::api::archive::archive;
use crate::http::exchange::Exchange;
use crate::http::manifests::{head, header_value, whole};

/// Bytes of a page, but for its last event; that of a manifest with a thousand references has 80 KiB.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

/// A page of events.
#[derive(ToSchema)]
#[schema(as = EventPage)]
#[expect(dead_code, reason = "it is only described; pages are put together from events that are written already")]
pub(in crate::http::api) struct EventPage {
    events: Vec<EventSchema>,
    /// To be given back as `?next=`, with the same filters and order, for the page behind this one. A page may be short, or even empty,
    /// and have a `next` all the same.
    next: Option<String>,
}

/// The form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One object.
    Json,
    /// An event a line; where to go on stands in `Link` alone.
    Lines,
}

/// GET `/api/v1/events`
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "list_events",
    tag = "events",
    summary = "What happened, by any choice of filters; the newest first",
    description = "An event is selected if every filter that is given holds for it. Each tag's end is one event `tag_deleted` with its \
                   cause, also where its manifest or repository was deleted. `Link` leads to the next page; with `Accept: \
                   application/x-ndjson` the answer is one event a line, and the link is in that header alone. A request looks at a \
                   bounded number of records, so a page may be short or empty although more follows: there is more as long \
                   as there is a `next`.",
    params(FilterParameters, ListParameters),
    responses(
        (status = 200, description = "A page of events", content(
            (EventPage = "application/json"),
            (EventSchema = "application/x-ndjson"),
        )),
        (status = 400, description = "`invalid_request`: a parameter is not what it has to be, stands twice, or is unknown"),
        (status = 503, description = "`unavailable`: the index of history is behind or has failed"),
    ),
)]
pub(in crate::http::api) async fn get(exchange: &Exchange<'_>) -> ApiAnswer {
    let site = exchange.site;
    let head_seq = site.published.load().head.seq;
    let ListQuery { filter, order, size, after } =
        ListQuery::of(&exchange.query(), site.limits.page_entries, head_seq)?;
    let (archive, viewer) = (archive(exchange).await?, Viewer::of(exchange));
    let query = Query { filter, order, after, limit: size };
    let enough = Enough { events: size, bytes: PAGE_BYTES };
    let page = site.archive_questions.ask(move || gather(&archive, query, enough, &viewer)).await?;
    let next = page.next.map(|place| ListQuery::next(order, place));
    let form = Form::wanted(exchange.headers());
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, HeaderValue::from_static("accept")));
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(form.content_type())));
    if let Some(next) = &next {
        let also = exchange.query().without("next");
        let ampersand = if also.is_empty() { "" } else { "&" };
        let link = format!("<{}?{also}{ampersand}next={next}>; rel=\"next\"", exchange.request.path());
        response.insert_header((header::LINK, header_value(&link)));
    }
    let body = form.body(&page, next.as_deref());
    if exchange.request.method() == Method::HEAD {
        return Ok(head(&mut response, body.len() as u64));
    }
    Ok(whole(exchange, &mut response, body.into()))
}

impl Form {
    /// Lines, if the client takes them at least as gladly as JSON.
    fn wanted(headers: &HeaderMap) -> Self {
        let (json, lines) = (quality(headers, JSON), quality(headers, JSON_LINES));
        if lines > 0.0 && lines >= json { Self::Lines } else { Self::Json }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Lines => JSON_LINES,
        }
    }

    fn body(self, page: &Gathered, next: Option<&str>) -> String {
        let mut body = String::with_capacity(page.events.iter().map(|event| event.json.len() + 1).sum::<usize>() + 64);
        match self {
            Self::Lines => page.events.iter().for_each(|event| {
                body.push_str(&event.json);
                body.push('\n');
            }),
            Self::Json => {
                body.push_str("{\"events\":[");
                for (at, event) in page.events.iter().enumerate() {
                    body.push_str(if at == 0 { "" } else { "," });
                    body.push_str(&event.json);
                }
                body.push(']');
                // It is hexadecimal, so nothing in it is to be escaped.
                next.iter().for_each(|next| body.push_str(&format!(",\"next\":\"{next}\"")));
                body.push('}');
            }
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_is_wanted() {
        for (accept, form) in [
            (&[][..], Form::Json),
            (&["*/*"], Form::Json),
            (&["application/x-ndjson"], Form::Lines),
            (&["APPLICATION/X-NDJSON ; q=0.1"], Form::Lines),
            (&["application/x-ndjson;q=0"], Form::Json),
            (&["application/json, application/x-ndjson"], Form::Lines),
            (&["application/x-ndjson; q=0.5", "application/json; q=0.9"], Form::Json),
            (&["application/json;q=0.5", "application/x-ndjson"], Form::Lines),
            (&["text/html"], Form::Json),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(Form::wanted(&headers), form, "{accept:?}");
        }
    }
}
