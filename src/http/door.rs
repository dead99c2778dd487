//! The door: who is let in to which handler.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header;
use tagstone_schema::event::Action;

use super::challenge::{TokenError, unauthorized};
use super::demand::Demand;
use super::denied;
use super::dispatch::is_probe;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use super::route::Route;
use super::site::Site;
use crate::access::{Caller, IssuedTokens, NotAdmitted, user_given, whole_seconds};
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
    let snapshot = site.published.snapshot();
    let admitted = match another {
        Some(_) => Err(NotAdmitted::Wrong),
        None => {
            let tokens = IssuedTokens::new(&snapshot.state, site.clock.now());
            site.gate.admit(authorization, address, tokens).await
        }
    };
    admitted.map_err(|why| {
        site.metrics.failed_login(&why);
        tell(address, authorization.and_then(user_given).as_deref(), &why);
        not_admitted(site, request, route, &why)
    })
}

/// Tells of a failed login whoever guards the machine. The address stands first: what a client has sent comes behind it, as text that
/// is escaped. Whoever has to wait is told of at level debug alone, so that nobody fills a disk by knocking.
fn tell(address: Option<IpAddr>, user: Option<&str>, why: &NotAdmitted) {
    let (address, reason) = (address.map(tracing::field::display), why.reason());
    match why {
        NotAdmitted::Wrong => tracing::warn!(address, user, reason, "a login failed"),
        NotAdmitted::TooMany { .. } => tracing::debug!(address, user, reason, "a login failed"),
        _ => tracing::info!(address, user, reason, "a login failed"),
    }
}

/// Refuses a caller who does not have what the route demands.
pub(super) fn check(exchange: &Exchange<'_>) -> Result<(), Refusal> {
    let caller = &exchange.caller;
    let demand = Demand::of(exchange.route, exchange.request.method());
    let (holds, what) = match demand {
        Demand::Nothing => (true, String::new()),
        Demand::Entry => (caller.may_enter(), "ask this".to_owned()),
        Demand::Pull(name) => (caller.may(Action::Pull, name), format!("pull from {}", shown(name))),
        Demand::Push(name) => (caller.may(Action::Push, name), format!("push to {}", shown(name))),
        Demand::PullAndPush(name) if caller.may(Action::Push, name) => {
            let what = format!("do this in {}, which takes to pull from it too", shown(name));
            (caller.may(Action::Pull, name), what)
        }
        Demand::PullAndPush(name) => (false, format!("push to {}", shown(name))),
        Demand::PullAndDelete(name) if caller.may(Action::Delete, name) => {
            let what = format!("delete in {}, which takes to pull from it too", shown(name));
            (caller.may(Action::Pull, name), what)
        }
        Demand::PullAndDelete(name) => (false, format!("delete in {}", shown(name))),
        Demand::User => (caller.is_user(), "do this, which is for users who give their password".to_owned()),
        Demand::Administrator => (caller.is_administrator(), "do this, which is for administrators".to_owned()),
    };
    if holds { Ok(()) } else { Err(forbidden(exchange, demand, &what)) }
}

/// The refusal of what a caller may not do, as `demand` has it.
pub(super) fn forbidden(exchange: &Exchange<'_>, demand: Demand<'_>, what: &str) -> Refusal {
    let Exchange { site, request, route, caller, .. } = exchange;
    let challenge = |error, message: &str| unauthorized(site, request, *route, demand, error, message);
    let is_wider_token_of_use = match demand {
        Demand::Pull(_) | Demand::Push(_) | Demand::PullAndPush(_) | Demand::PullAndDelete(_) => {
            caller.is_sent_by_issuer()
        }
        Demand::Administrator => caller.may_become_administrator(),
        Demand::Nothing | Demand::Entry | Demand::User => false,
    };
    let name = &caller.actor().name;
    if is_wider_token_of_use {
        let message = format!("the token of {name} is not for this: with it, {name} may not {what}");
        return challenge(TokenError::InsufficientScope, &message);
    }
    if caller.is_known() {
        denied::gather(exchange, demand);
        return Refusal::new(StatusCode::FORBIDDEN, Code::Denied, format!("{name} may not {what}"));
    }
    challenge(TokenError::None, &format!("credentials are needed to {what}"))
}

/// The refusal of somebody who was not admitted.
fn not_admitted(site: &Site, request: &HttpRequest, route: Route<'_>, why: &NotAdmitted) -> Refusal {
    let error = match why {
        NotAdmitted::TooMany { retry_after } => {
            return Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, why.to_string())
                .with_header(header::RETRY_AFTER, header::HeaderValue::from(whole_seconds(*retry_after)))
                .by(Limit::FailedLogins);
        }
        NotAdmitted::Bearer(_) | NotAdmitted::LoginOver => TokenError::Invalid,
        _ => TokenError::None,
    };
    unauthorized(site, request, route, Demand::of(route, request.method()), error, &why.to_string())
}

/// A name as it was sent, cut where it is longer than any can be.
fn shown(name: &str) -> String {
    name.chars().take(255).collect()
}
