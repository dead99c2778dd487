//! `GET /v2/token`: a login token, for clients that speak the Docker token protocol.
//!
//! What they ask it to be for (`scope`) is not looked at: what its holder may do is asked of the rules with each request, as it is
//! with a password, and that is never less.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use serde_json::json;

use super::error::{Code, Refusal};
use super::exchange::{Answer, Exchange};

/// Answers a token for whoever has shown a password, or nothing.
pub(super) fn get(exchange: &Exchange<'_>) -> Answer {
    let now = exchange.now();
    let token = exchange.site.gate.login_token(&exchange.caller, now).ok_or_else(|| {
        let message = "there are no login tokens here; the WWW-Authenticate header of a refusal says what is wanted";
        Refusal::not_found(Code::Unsupported, message)
    })?;
    // `access_token` is what OAuth 2 calls it; clients take either.
    let body = json!({"token": token.text, "access_token": token.text, "expires_in": token.lifetime.as_secs(),
        "issued_at": now.to_string()});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body))
}
