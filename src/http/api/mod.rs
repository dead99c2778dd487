//! The REST API: what operators script, beside what clients of registries speak.
//!
//! A resource has a variant of [`ApiRoute`] with its label for metrics, an arm in [`answer`], a file with its handlers,
//! and a line in `openapi.rs`. Handlers read their request with the parts of `crate::http` and this module's `json` and
//! `page`, and answer an [`ApiRefusal`](error::ApiRefusal), into which `?` turns whatever was wrong.
//!
//! **Invariant**: what is served stands in the OpenAPI document, and nothing else; `tests/routes/api_document.rs` asks.

mod accept;
mod archive;
mod collection;
mod erase;
mod error;
mod error_type;
mod events;
mod expire;
mod json;
mod left_behind;
mod log_head;
mod log_record_form;
mod log_records;
mod logs;
mod openapi;
pub(super) mod outside;
mod page;
mod policies;
mod prune_run;
mod purge;
mod refusals;
mod rejected;
mod repository;
mod restore;
mod route;
mod tag;
mod tag_list;
mod tag_list_query;
mod tag_stays;
mod tags_deletion;
mod templates;
mod tokens;
mod whoami;
mod why;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::Payload;

pub(super) use archive::ArchiveQuestions;
pub(super) use error::ApiRefusal;
pub(super) use events::OpenStreams;
pub(super) use log_head::Fingerprints;
pub(super) use policies::LongQuestions;
pub(super) use route::{ApiRoute, ScopePath};

use super::error::Refusal;
use super::exchange::Exchange;

/// The answer to a request below `/api/v1`, or why there is none.
pub(super) type ApiAnswer = Result<HttpResponse, ApiRefusal>;

/// Answers a request below `/api/v1`. Whatever can be read with GET can be asked for with HEAD.
pub(super) async fn answer(exchange: &Exchange<'_>, route: ApiRoute<'_>, payload: Payload) -> ApiAnswer {
    match route {
        ApiRoute::ImmutabilityPolicies { scope } => policies::immutability_policies(exchange, scope, payload).await,
        ApiRoute::ImmutabilityPolicy { scope, id } => policies::immutability_policy(exchange, scope, id, payload).await,
        ApiRoute::ImmutabilityActivation { scope, id } => match *exchange.request.method() {
            Method::POST => policies::immutability::activate(exchange, scope, id).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::ImmutabilityPreview { scope } => match *exchange.request.method() {
            Method::POST => policies::preview::preview(exchange, scope, payload).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::PrunePolicies { scope } => policies::prune_policies(exchange, scope, payload).await,
        ApiRoute::PrunePolicy { scope, id } => policies::prune_policy(exchange, scope, id, payload).await,
        ApiRoute::PruneActivation { scope, id } => match *exchange.request.method() {
            Method::POST => policies::prune::activate(exchange, scope, id).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::PruneRun { scope, id } => match *exchange.request.method() {
            Method::POST => prune_run::run(exchange, payload, scope, id).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::Events => match *exchange.request.method() {
            Method::GET | Method::HEAD => events::list::get(exchange).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::EventStream => match *exchange.request.method() {
            Method::GET | Method::HEAD => events::stream::get(exchange).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::RepositoryLogs { name } => match *exchange.request.method() {
            Method::GET | Method::HEAD => logs::of_repository(exchange, name).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::OrganizationLogs { namespace } => match *exchange.request.method() {
            Method::GET | Method::HEAD => logs::of_organization(exchange, namespace).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::Refusals => match *exchange.request.method() {
            Method::GET | Method::HEAD => refusals::list(exchange).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::Tokens => match *exchange.request.method() {
            Method::GET | Method::HEAD => tokens::list(exchange),
            Method::POST => tokens::issue(exchange, payload).await,
            _ => wrong_method("GET, HEAD, POST"),
        },
        ApiRoute::Token { id } => match *exchange.request.method() {
            Method::GET | Method::HEAD => tokens::get(exchange, id),
            Method::DELETE => tokens::revoke(exchange, id).await,
            _ => wrong_method("GET, HEAD, DELETE"),
        },
        ApiRoute::Tags { name } => match *exchange.request.method() {
            Method::GET | Method::HEAD => tag_list::get(exchange, name).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::Tag { name, tag } => match *exchange.request.method() {
            Method::PUT => tag::put(exchange, payload, name, tag).await,
            Method::DELETE => tag::delete(exchange, name, tag).await,
            _ => wrong_method("PUT, DELETE"),
        },
        ApiRoute::TagRestore { name, tag } => match *exchange.request.method() {
            Method::POST => restore::post(exchange, payload, name, tag).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::TagExpiry { name, tag } => match *exchange.request.method() {
            Method::POST => expire::post(exchange, payload, name, tag).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::TagErasure { name, tag } => match *exchange.request.method() {
            Method::POST => erase::post(exchange, payload, name, tag).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::Collection => match *exchange.request.method() {
            Method::GET | Method::HEAD => Ok(collection::get(exchange)),
            Method::POST => collection::post(exchange, payload).await,
            _ => wrong_method("GET, HEAD, POST"),
        },
        ApiRoute::Purge { name } => match *exchange.request.method() {
            Method::POST => purge::post(exchange, payload, name).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::TagWhy { name, tag } => match *exchange.request.method() {
            Method::GET | Method::HEAD => why::get(exchange, name, tag).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::TagsDeletion { name } => match *exchange.request.method() {
            Method::POST => tags_deletion::post(exchange, payload, name).await,
            _ => wrong_method("POST"),
        },
        ApiRoute::Repository { name } => match *exchange.request.method() {
            Method::DELETE => repository::delete(exchange, name).await,
            _ => wrong_method("DELETE"),
        },
        ApiRoute::LogHead => match *exchange.request.method() {
            Method::GET | Method::HEAD => log_head::get(exchange).await,
            _ => wrong_method("GET, HEAD"),
        },
        ApiRoute::LogRecords => match *exchange.request.method() {
            Method::GET | Method::HEAD => log_records::get(exchange).await,
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
