//! The REST API: what operators script, beside what clients of registries speak.
//!
//! A resource has a variant of [`ApiRoute`] with its label for metrics, an arm in [`answer`], a file with its handlers,
//! and a line in `openapi.rs`. Handlers read their request with the parts of `crate::http` and this module's `json` and
//! `page`, and answer an [`ApiRefusal`](error::ApiRefusal), into which `?` turns whatever was wrong.
//!
//! **Invariant**: what is served stands in the OpenAPI document, and nothing else; `tests/routes/api_document.rs` asks.

mod error;
mod error_type;
// Until the first resource has a body, and until the first is a list. The compiler tells when these lines can go.
#[expect(dead_code, reason = "no resource has a body yet")]
mod json;
mod log_head;
mod openapi;
#[cfg_attr(not(test), expect(dead_code, reason = "no resource is a list yet"))]
mod page;
mod rejected;
mod route;
mod tag;
mod tag_list;
mod tag_list_query;
mod templates;
mod whoami;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::Payload;

pub(super) use error::ApiRefusal;
pub(super) use log_head::Fingerprints;
pub(super) use route::ApiRoute;

use super::error::Refusal;
use super::exchange::Exchange;

/// The answer to a request below `/api/v1`, or why there is none.
pub(super) type ApiAnswer = Result<HttpResponse, ApiRefusal>;

/// Answers a request below `/api/v1`. Whatever can be read with GET can be asked for with HEAD.
pub(super) async fn answer(exchange: &Exchange<'_>, route: ApiRoute<'_>, _payload: Payload) -> ApiAnswer {
    match route {
        ApiRoute::Tags { name } => match *exchange.request.method() {
            Method::GET | Method::HEAD => tag_list::get(exchange, name).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::Tag { name, tag } => match *exchange.request.method() {
            Method::DELETE => tag::delete(exchange, name, tag).await,
            _ => wrong_method("DELETE"),
        },
        ApiRoute::LogHead => match *exchange.request.method() {
            Method::GET | Method::HEAD => log_head::get(exchange).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::WhoAmI => match *exchange.request.method() {
            Method::GET | Method::HEAD => Ok(whoami::get(exchange)),
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::OpenApi => match *exchange.request.method() {
            Method::GET | Method::HEAD => openapi::get(),
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::ErrorType { name } => match *exchange.request.method() {
            Method::GET | Method::HEAD => error_type::get(name),
            _ => wrong_method("GET, HEAD"),
        },
        _ => Err(ApiRefusal::not_found("there is nothing at this path; /api/v1/openapi.json describes what there is")),
    }
}

fn wrong_method(allowed: &'static str) -> ApiAnswer {
    Err(Refusal::method(allowed).into())
}
