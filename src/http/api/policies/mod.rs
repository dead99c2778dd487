//! Policies: listed, created, changed, activated, retired; and what one would do.
//!
//! Both kinds have the same resources, which differ in bodies only; what can be done with them stands in [`scoped`].
//! Paths, fields and statuses are Quay's, where Quay has them.

mod form;
pub(super) mod immutability;
mod judged;
pub(super) mod preview;
pub(super) mod prune;
mod questions;
mod scoped;

use actix_web::http::Method;
use actix_web::web::Payload;
use tagstone_schema::Id;

pub(in crate::http) use questions::LongQuestions;

use super::error::ApiRefusal;
use super::route::ScopePath;
use super::{ApiAnswer, outside, wrong_method};
use crate::http::exchange::Exchange;

/// Reads a body as each of those that policies have, for [`super::outside`].
pub(super) fn read_bodies(bytes: &[u8]) {
    outside::read::<immutability::NewImmutabilityPolicy>(bytes);
    outside::read::<immutability::ChangedImmutabilityPolicy>(bytes);
    outside::read::<prune::NewPrunePolicy>(bytes);
    outside::read::<prune::ChangedPrunePolicy>(bytes);
}

/// `<scope>/immutabilitypolicy/`
pub(super) async fn immutability_policies(
    exchange: &Exchange<'_>,
    scope: ScopePath<'_>,
    payload: Payload,
) -> ApiAnswer {
    match *exchange.request.method() {
        Method::GET | Method::HEAD => immutability::list(exchange, scope).await,
        Method::POST => immutability::create(exchange, scope, payload).await,
        _ => wrong_method("GET, HEAD, POST"),
    }
}

/// `<scope>/immutabilitypolicy/<uuid>`
pub(super) async fn immutability_policy(
    exchange: &Exchange<'_>,
    scope: ScopePath<'_>,
    id: &str,
    payload: Payload,
) -> ApiAnswer {
    match *exchange.request.method() {
        Method::GET | Method::HEAD => immutability::get(exchange, scope, id).await,
        Method::PUT => immutability::change(exchange, scope, id, payload).await,
        Method::DELETE => immutability::delete(exchange, scope, id).await,
        _ => wrong_method("GET, HEAD, PUT, DELETE"),
    }
}

/// `<scope>/autoprunepolicy/`
pub(super) async fn prune_policies(exchange: &Exchange<'_>, scope: ScopePath<'_>, payload: Payload) -> ApiAnswer {
    match *exchange.request.method() {
        Method::GET | Method::HEAD => prune::list(exchange, scope).await,
        Method::POST => prune::create(exchange, scope, payload).await,
        _ => wrong_method("GET, HEAD, POST"),
    }
}

/// `<scope>/autoprunepolicy/<uuid>`
pub(super) async fn prune_policy(
    exchange: &Exchange<'_>,
    scope: ScopePath<'_>,
    id: &str,
    payload: Payload,
) -> ApiAnswer {
    match *exchange.request.method() {
        Method::GET | Method::HEAD => prune::get(exchange, scope, id).await,
        Method::PUT => prune::change(exchange, scope, id, payload).await,
        Method::DELETE => prune::delete(exchange, scope, id).await,
        _ => wrong_method("GET, HEAD, PUT, DELETE"),
    }
}

/// The id in a body, if there is one, has to be that of the path.
fn own_id(id: Id, given: Option<&str>) -> Result<(), ApiRefusal> {
    match given {
        Some(given) if given.parse() != Ok(id) => Err(ApiRefusal::invalid_request(format!(
            "the `uuid` of the body is `{given:.100}`, and the path names {id}; leave it out, or make them the same"
        ))),
        _ => Ok(()),
    }
}
