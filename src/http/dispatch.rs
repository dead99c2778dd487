//! The one handler: every request passes through it.

use std::time::Instant;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tagstone_schema::{Actor, ActorKind};

use super::connections::{Connection, read_on_after_the_answer};
use super::demand::Demand;
use super::entrance::{Entrance, recovering};
use super::error::{Code, Refusal};
use super::exchange::{Answer, Exchange, readable, writable};
use super::manifests::header_value;
use super::refused::Refused;
use super::route::Route;
use super::site::Site;
use super::{
    api, blobs, browser, delete, door, extensions, heads, lists, login_token, manifests, probes, push, referrers,
    space, tag_history, uploads,
};
use crate::access::Caller;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Serves a request.
pub(super) async fn dispatch(request: HttpRequest, entrance: Data<Entrance>, payload: Payload) -> HttpResponse {
    let _busy = Connection::of(&request).map(Connection::busy);
    let request_id = entrance.next_request_id();
    let mut response = match entrance.site() {
        Some(site) => served(site, &request, &request_id, payload).await,
        None => recovering(&request),
    };
    response.headers_mut().insert(REQUEST_ID, header_value(&request_id));
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        if response.status().is_client_error() || response.status().is_server_error() {
            response.head_mut().set_connection_type(ConnectionType::Close);
            Connection::of(&request).into_iter().for_each(Connection::ends_soon);
        }
        read_on_after_the_answer().await;
    }
    response
}

async fn served(site: &Site, request: &HttpRequest, request_id: &str, payload: Payload) -> HttpResponse {
    let began = Instant::now();
    let path = percent_decode_str(request.uri().path()).decode_utf8();
    let route = path.as_deref().map_or_else(|_| Route::undecodable(request.uri().path()), Route::of);
    let mut who = None;
    let answer = match heads::check(request, &site.limits) {
        Ok(()) => admitted(site, request, request_id, route, payload, &mut who).await,
        Err(refusal) => Err(Refused::at(route, refusal)),
    };
    if let Some(limit) = answer.as_ref().err().and_then(|refusal| refusal.limit) {
        site.metrics.refused_by(limit);
    }
    let refused = answer.as_ref().err().map(|refusal| refusal.message.clone());
    let response = answer.unwrap_or_else(|refusal| refusal.response(request));
    let status = response.status();
    site.metrics.request(route.index(), status.as_u16(), began.elapsed());
    log(site, request, request_id, status, &Came { who, refused, began });
    response
}

/// Answers whoever may ask, and says who it was as soon as that is known.
async fn admitted(
    site: &Site,
    request: &HttpRequest,
    request_id: &str,
    route: Route<'_>,
    payload: Payload,
    who: &mut Option<Caller>,
) -> Result<HttpResponse, Refused> {
    browser::check(site, request, route).map_err(|refusal| Refused::at(route, refusal))?;
    let address = site.proxies.client(request);
    let caller = door::enter(site, request, route, address).await.map_err(|refusal| Refused::at(route, refusal))?;
    let exchange = Exchange { site, request, request_id, route, caller, address };
    let answered = allowed(&exchange, route, payload).await;
    *who = Some(exchange.caller);
    answered
}

/// Answers a caller who may do what he asks, as long as no limit is in the way.
async fn allowed(exchange: &Exchange<'_>, route: Route<'_>, payload: Payload) -> Result<HttpResponse, Refused> {
    door::check(exchange).map_err(|refusal| Refused::at(route, refusal))?;
    if is_probe(route) {
        return answer(exchange, route, payload).await;
    }
    let place = exchange.site.clients.request(exchange).map_err(|refusal| Refused::at(route, refusal))?;
    space::check(exchange, route).map_err(|refusal| Refused::at(route, refusal))?;
    Ok(place.held_by(answer(exchange, route, payload).await?))
}

/// Whether a request is of whoever operates the registry, who is answered whatever else is under way.
pub(super) fn is_probe(route: Route<'_>) -> bool {
    matches!(route, Route::Health | Route::Ready | Route::Metrics)
}

async fn answer(exchange: &Exchange<'_>, route: Route<'_>, payload: Payload) -> Result<HttpResponse, Refused> {
    let answer: Answer = match route {
        Route::Api(route) => return Ok(api::answer(exchange, route, payload).await?),
        Route::Manifest { name, reference } => match *exchange.request.method() {
            Method::GET | Method::HEAD => manifests::get(exchange, name, reference).await,
            Method::PUT => push::put(exchange, payload, name, reference).await,
            Method::DELETE => delete::manifest(exchange, name, reference).await,
            _ => Err(wrong_method(name, "GET, HEAD, PUT, DELETE")),
        },
        Route::Blob { name, digest } => match *exchange.request.method() {
            Method::GET | Method::HEAD => blobs::get(exchange, name, digest).await,
            Method::DELETE => delete::blob(exchange, name, digest).await,
            _ => Err(wrong_method(name, "GET, HEAD, DELETE")),
        },
        Route::Uploads { name } => match *exchange.request.method() {
            Method::POST => uploads::start(exchange, payload, name).await,
            // Nothing is ever uploaded into the past, so there is nothing to read either.
            Method::GET | Method::HEAD if writable(name).is_err_and(|refusal| is_wrong_method(&refusal)) => {
                Err(unknown(exchange))
            }
            _ => Err(wrong_method(name, "POST")),
        },
        Route::Upload { name, id } => match *exchange.request.method() {
            Method::GET | Method::HEAD => uploads::status(exchange, name, id).await,
            Method::PATCH => uploads::append(exchange, payload, name, id).await,
            Method::PUT => uploads::finish(exchange, payload, name, id).await,
            Method::DELETE => uploads::cancel(exchange, name, id).await,
            _ => Err(wrong_method(name, "GET, HEAD, PATCH, PUT, DELETE")),
        },
        _ if !matches!(*exchange.request.method(), Method::GET | Method::HEAD) => match route {
            Route::Unknown => Err(unknown(exchange)),
            _ => Err(Refusal::method("GET, HEAD")),
        },
        Route::Base => base(exchange),
        Route::LoginToken => login_token::get(exchange),
        Route::Catalog => lists::catalog(exchange),
        Route::ExtensionList => extensions::list(),
        Route::Discover { name } => extensions::discover(exchange, name).await,
        Route::TagHistory { name, tag } => tag_history::list(exchange, name, tag).await,
        Route::TagList { name } => lists::tags(exchange, name).await,
        Route::TagTable { name } => lists::table(exchange, name).await,
        Route::Referrers { name, digest } => referrers::list(exchange, name, digest).await,
        Route::Health => Ok(probes::health()),
        Route::Ready => probes::ready(exchange),
        Route::Metrics => probes::metrics(exchange),
        Route::Unknown => Err(unknown(exchange)),
    };
    Ok(answer?)
}

/// `GET /v2/`, by which clients learn how to log in. Where anybody may come in, one that shows nothing is asked for a token, which it is
/// given with or without a password: common clients look nowhere else for how to log in.
fn base(exchange: &Exchange<'_>) -> Answer {
    let has_shown_something = exchange.headers().contains_key(header::AUTHORIZATION);
    if exchange.site.gate.challenges().login_tokens && !has_shown_something {
        return Err(door::forbidden(
            exchange,
            Demand::Entry,
            "ask this; they may be none: GET /v2/token gives a token",
        ));
    }
    let answer =
        HttpResponse::Ok().insert_header((API_VERSION, HeaderValue::from_static("registry/2.0"))).json(json!({}));
    Ok(answer)
}

/// A method that a resource of a repository never has. Repositories that show the past have fewer.
fn wrong_method(name: &str, allowed: &'static str) -> Refusal {
    writable(name).err().filter(is_wrong_method).unwrap_or_else(|| Refusal::method(allowed))
}

fn is_wrong_method(refusal: &Refusal) -> bool {
    refusal.status == StatusCode::METHOD_NOT_ALLOWED
}

fn unknown(exchange: &Exchange<'_>) -> Refusal {
    let path = exchange.request.uri().path();
    // A path that would be right with a better name is told so.
    let name = path.strip_prefix("/v2/").and_then(|rest| readable(rest.trim_end_matches('/')).err());
    let message = name.map_or_else(|| "there is nothing at this path".to_owned(), |refusal| refusal.message);
    Refusal::not_found(Code::Unsupported, message)
}

/// What a line says of a request beside what was asked and answered.
struct Came {
    /// Nobody, where the door stayed closed.
    who: Option<Caller>,
    refused: Option<String>,
    began: Instant,
}

/// One line for each change and each failure; reads are lines only at level debug.
fn log(site: &Site, request: &HttpRequest, request_id: &str, status: StatusCode, came: &Came) {
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id,
                method = %request.method(),
                path = request.uri().path(),
                status = status.as_u16(),
                address = site.proxies.client(request).map(tracing::field::display),
                actor = came.who.as_ref().map(named).as_deref(),
                micros = u64::try_from(came.began.elapsed().as_micros()).unwrap_or(u64::MAX),
                refused = came.refused.as_deref(),
                "request"
            )
        };
    }
    // A full disk is told by its own message and metric; each push that it refuses is no error of the registry.
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        line!(error);
    } else if read {
        line!(debug);
    } else {
        line!(info);
    }
}

/// A caller as `actor` filters events.
fn named(caller: &Caller) -> String {
    let Actor { kind, name } = caller.actor();
    let kind = match kind {
        ActorKind::User => "user",
        ActorKind::Anonymous => "anonymous",
        ActorKind::System => "system",
        ActorKind::Token => "token",
    };
    format!("{kind}:{name}")
}
