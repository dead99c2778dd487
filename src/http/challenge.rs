//! How a client is told to show who it is: `WWW-Authenticate` (RFC 7617, RFC 6750, and the token specification of distribution).
//!
//! Where an outside issuer is configured, what is below `/v2/` asks for its tokens alone. Clients of registries do badly with two
//! challenges: docker answers both, one after the other, so that the password overwrites the token that it was just given for it;
//! skopeo, podman and crane take the first. Passwords and access tokens that are sent without being asked for are taken all the same.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use tagstone_schema::RepositoryName;

use super::demand::Demand;
use super::error::{Code, Refusal};
use super::query::Query;
use super::route::Route;
use super::site::Site;
use crate::access::Challenges;

const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"tagstone\", charset=\"UTF-8\"");

/// What is wrong with the token that was shown (RFC 6750, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// None was shown.
    None,
    Invalid,
    InsufficientScope,
}

/// Asks for credentials, or for better ones.
pub(super) fn unauthorized(
    site: &Site,
    request: &HttpRequest,
    route: Route<'_>,
    demand: Demand<'_>,
    error: TokenError,
    message: &str,
) -> Refusal {
    let Challenges { passwords, issuer } = site.gate.challenges();
    let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message);
    let is_alone = issuer.is_some() && !matches!(route, Route::Api(_));
    if let Some(issuer) = issuer {
        let mut challenge = format!("Bearer realm=\"{}\",service=\"{}\"", issuer.realm, issuer.service);
        let scopes = scopes(route, demand, request).join(" ");
        if !scopes.is_empty() {
            challenge.push_str(&format!(",scope=\"{scopes}\""));
        }
        match error {
            TokenError::None => {}
            TokenError::Invalid => challenge.push_str(",error=\"invalid_token\""),
            TokenError::InsufficientScope => challenge.push_str(",error=\"insufficient_scope\""),
        }
        // Settings and names of repositories are of characters that can stand here.
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            refusal = refusal.with_header(header::WWW_AUTHENTICATE, challenge);
        }
    }
    if passwords && !is_alone { refusal.with_header(header::WWW_AUTHENTICATE, BASIC) } else { refusal }
}

/// What a token has to be for, so that the request is answered. Nothing where the request is about no repository that there can be.
fn scopes(route: Route<'_>, demand: Demand<'_>, request: &HttpRequest) -> Vec<String> {
    let repository = |name: &str, actions: &str| {
        let name = name.parse::<RepositoryName>().ok()?;
        Some(format!("repository:{name}:{actions}"))
    };
    let catalog = || Some("registry:catalog:*".to_owned());
    let demanded = match demand {
        Demand::Pull(name) => repository(name, "pull"),
        // Whoever pushes asks what is there already.
        Demand::Push(name) => repository(name, "pull,push"),
        Demand::Delete(name) => repository(name, "delete"),
        Demand::Administrator => catalog(),
        Demand::Entry if matches!(route, Route::Catalog) => catalog(),
        Demand::Nothing | Demand::Entry | Demand::User => None,
    };
    let mounted_from = match route {
        Route::Uploads { .. } => Query::new(request.query_string()).one("from").ok().flatten(),
        _ => None,
    };
    let mounted_from = mounted_from.and_then(|name| repository(&name, "pull"));
    demanded.into_iter().chain(mounted_from).collect()
}
