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
    let Challenges { passwords, issuer, login_tokens } = site.gate.challenges();
    let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message);
    let is_api = matches!(route, Route::Api(_));
    let realm = match issuer {
        Some(issuer) => Some((issuer.realm.clone(), issuer.service.clone())),
        // Where login tokens are given, passwords are asked for, and what is below /api/v1 has no use for them.
        None if login_tokens && !is_api && route != Route::LoginToken => {
            own_realm(site, request).map(|realm| (realm, "tagstone".to_owned()))
        }
        None => None,
    };
    let is_alone = realm.is_some() && !is_api;
    if let Some((realm, service)) = realm {
        let scope = scope(route, demand);
        // Settings, names of repositories and hosts are of characters that can stand here.
        if let Ok(challenge) = HeaderValue::from_str(&bearer(&realm, &service, scope.as_deref(), error)) {
            refusal = refusal.with_header(header::WWW_AUTHENTICATE, challenge);
        }
    }
    if passwords && !is_alone { refusal.with_header(header::WWW_AUTHENTICATE, BASIC) } else { refusal }
}

fn bearer(realm: &str, service: &str, scope: Option<&str>, error: TokenError) -> String {
    let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
    if let Some(scope) = scope {
        challenge.push_str(&format!(",scope=\"{scope}\""));
    }
    match error {
        TokenError::None => {}
        TokenError::Invalid => challenge.push_str(",error=\"invalid_token\""),
        TokenError::InsufficientScope => challenge.push_str(",error=\"insufficient_scope\""),
    }
    challenge
}

/// Where login tokens are given. Clients want the whole address, so it is the one by which the request has come.
fn own_realm(site: &Site, request: &HttpRequest) -> Option<String> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let is_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    is_host.then(|| format!("{}://{host}/v2/token", site.proxies.scheme(request)))
}

/// What a token has to be for, so that the request is answered. Nothing where the request is about no repository that there can be.
///
/// It is one scope at most: skopeo and podman cannot read several. So a mount does not ask for the repository that it is from; clients that mount
/// ask for that by themselves, and others upload.
fn scope(route: Route<'_>, demand: Demand<'_>) -> Option<String> {
    let repository = |name: &str, actions: &str| {
        let name = name.parse::<RepositoryName>().ok()?;
        Some(format!("repository:{name}:{actions}"))
    };
    let catalog = || Some("registry:catalog:*".to_owned());
    match demand {
        Demand::Pull(name) => repository(name, "pull"),
        // Whoever pushes asks what is there already.
        Demand::Push(name) | Demand::PullAndPush(name) => repository(name, "pull,push"),
        Demand::PullAndDelete(name) => repository(name, "pull,delete"),
        Demand::Administrator => catalog(),
        Demand::Entry if matches!(route, Route::Catalog) => catalog(),
        Demand::Nothing | Demand::Entry | Demand::User => None,
    }
}
