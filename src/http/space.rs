//! Which requests need space, and their refusal where the disk has no more than is kept free.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use serde_json::json;

use super::api::ApiRoute;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use super::route::Route;
use super::site::Site;
use crate::limit::Limit;

/// When to try again, in seconds. Space comes from a deletion, a collection or an operator.
const RETRY: u32 = 60;

/// Whether a request adds to what the registry keeps. Deleting, purging and what administrators do with policies goes on,
/// as each needs a record and nothing more: that is what the space that is kept free is for. Setting tags anew needs no more
/// either, but whoever may push could do it for ever.
fn adds(route: Route<'_>, method: &Method) -> bool {
    match route {
        Route::Manifest { .. } => *method == Method::PUT,
        Route::Uploads { .. } => *method == Method::POST,
        Route::Upload { .. } => matches!(*method, Method::PATCH | Method::PUT),
        Route::Api(ApiRoute::Tag { .. }) => *method == Method::PUT,
        // Any user may issue tokens, and revoke them, for ever.
        Route::Api(ApiRoute::TagRestore { .. } | ApiRoute::Tokens) => *method == Method::POST,
        _ => false,
    }
}

/// Refuses what adds, before anything of it is received, where there is no room for what is announced.
pub(super) fn check(exchange: &Exchange<'_>, route: Route<'_>) -> Result<(), Refusal> {
    if !adds(route, exchange.request.method()) {
        return Ok(());
    }
    check_room(exchange.site, exchange.content_length().unwrap_or(0))
}

/// Refuses so many bytes where there is no room for them.
pub(super) fn check_room(site: &Site, bytes: u64) -> Result<(), Refusal> {
    // A disk that cannot be looked at may be written to all the same; where it cannot, that says so.
    let Some(disk) = site.limits.disk.measure().ok().filter(|disk| !disk.has_room_for(bytes)) else { return Ok(()) };
    let message = format!(
        "the registry's disk is full: it has {} bytes left and keeps {} of them free, so nothing more is stored; delete or \
         purge what is not needed, or ask its operator for space (`limits.free_disk_bytes`)",
        disk.available, disk.kept
    );
    Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, Code::Denied, message)
        .with_detail(json!({"reason": "DISK_FULL"}))
        .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY))
        // What is announced was not read, so the connection cannot carry another request.
        .with_header(header::CONNECTION, HeaderValue::from_static("close"))
        .by(Limit::FreeDisk))
}
