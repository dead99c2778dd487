//! The door: who is let in to which handler.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header;
use tagstone_schema::event::Action;

use super::demand::Demand;
use super::dispatch::is_probe;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use super::route::Route;
use super::site::Site;
use crate::access::{Caller, NotAdmitted, whole_seconds};
use crate::limit::Limit;

/// Admits whoever has sent a request. Wrong credentials are refused everywhere, also where none are needed: a client should learn of
/// them at once. Only probes are answered whatever they send.
pub(super) async fn enter(
    site: &Site,
    request: &HttpRequest,
    route: Route<'_>,
    address: Option<IpAddr>,
) -> Result<Caller, Refusal> {
    if is_probe(route) {
        return Ok(site.gate.nobody());
    }
    let mut given = request.headers().get_all(header::AUTHORIZATION);
    let (authorization, another) = (given.next().map(header::HeaderValue::as_bytes), given.next());
    if another.is_some() {
        return Err(not_admitted(&NotAdmitted::Wrong));
    }
    site.gate.admit(authorization, address).await.map_err(|why| not_admitted(&why))
}

/// Refuses a caller who does not have what the route demands.
pub(super) fn check(exchange: &Exchange<'_>, route: Route<'_>) -> Result<(), Refusal> {
    let caller = &exchange.caller;
    let (holds, what) = match Demand::of(route, exchange.request.method()) {
        Demand::Nothing => (true, String::new()),
        Demand::Entry => (caller.may_enter(), "ask this".to_owned()),
        Demand::Pull(name) => (caller.may(Action::Pull, name), format!("pull from {}", shown(name))),
        Demand::Push(name) => (caller.may(Action::Push, name), format!("push to {}", shown(name))),
        Demand::Delete(name) => (caller.may(Action::Delete, name), format!("delete in {}", shown(name))),
        Demand::Administrator => (caller.is_administrator(), "do this, which is for administrators".to_owned()),
    };
    if holds { Ok(()) } else { Err(forbidden(caller, &what)) }
}

/// The refusal of what a caller may not do.
pub(super) fn forbidden(caller: &Caller, what: &str) -> Refusal {
    if caller.is_known() {
        let message = format!("{} may not {what}", caller.actor().name);
        return Refusal::new(StatusCode::FORBIDDEN, Code::Denied, message);
    }
    unauthorized(&format!("credentials are needed to {what}"))
}

/// The refusal of somebody who was not admitted.
fn not_admitted(why: &NotAdmitted) -> Refusal {
    match why {
        NotAdmitted::Wrong => unauthorized(&why.to_string()),
        NotAdmitted::TooMany { retry_after } => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, why.to_string())
                .with_header(header::RETRY_AFTER, header::HeaderValue::from(whole_seconds(*retry_after)))
                .by(Limit::FailedLogins)
        }
    }
}

/// Asks for credentials. The challenge is what clients read before they send any.
fn unauthorized(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message).with_header(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static("Basic realm=\"tagstone\", charset=\"UTF-8\""),
    )
}

/// A name as it was sent, cut where it is longer than any can be.
fn shown(name: &str) -> String {
    name.chars().take(255).collect()
}
