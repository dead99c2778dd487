//! What pages of other sites make browsers send.
//!
//! A page can make the browser of whoever looks at it send requests to wherever that browser can reach, such as a registry on the
//! same machine that lets everybody in, and it can bring along the credentials that a browser keeps. It cannot read the answers,
//! unless it stands under a name that it points at the registry (DNS rebinding). Browsers say where a request comes from, and
//! clients of registries say nothing of the kind, so these are not touched by what is refused here.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{Method, StatusCode};

use super::dispatch::is_probe;
use super::error::{Code, Refusal};
use super::route::Route;
use super::site::Site;

/// Where a request comes from, as seen from where it goes (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser may call an open registry, beside `localhost` and addresses. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// These names, in lower case.
    pub fn new(names: &[String]) -> Self {
        Self(names.into())
    }

    /// Whether nobody else can have made this name stand for the registry. Addresses are not names, and `localhost` is never asked of
    /// a name server (RFC 6761, section 6.3).
    pub(super) fn know(&self, host: &str) -> bool {
        let host = without_port(host).to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let name = host.strip_suffix('.').unwrap_or(&host);
        bare.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.ends_with(".localhost")
            || self.0.iter().any(|known| known == name)
    }
}

/// Refuses what a browser sends from another site and would change something; and where nobody has to log in, whatever a browser
/// sends to a name that may be an attacker's. Credentials that a browser keeps are not sent to such a name.
pub(super) fn check(site: &Site, request: &HttpRequest, route: Route<'_>) -> Result<(), Refusal> {
    let headers = request.headers();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && comes_from_elsewhere(request) {
        let origin = headers.get(header::ORIGIN).map_or("it does not say which", |own| own.to_str().unwrap_or("?"));
        let message =
            format!("a browser sends this from another site ({:.200}), which may change nothing here", origin);
        return Err(Refusal::new(StatusCode::FORBIDDEN, Code::Denied, message));
    }
    if site.gate.is_open() && !is_probe(route) && is_browser(headers) {
        let host = host(request).unwrap_or_default();
        if !site.limits.hosts.know(host) {
            let message = format!(
                "a browser calls this registry {host:.200?}, a name that anybody may have made, and nobody has to log in here; if it \
                 is a name of the registry, its operator can add it to `http.hosts`"
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, Code::Denied, message));
        }
    }
    Ok(())
}

/// As `CrossOriginProtection` of Go's net/http judges it: by `Sec-Fetch-Site`, and where an older browser does not send that, by
/// whether `Origin` names the host that is asked.
fn comes_from_elsewhere(request: &HttpRequest) -> bool {
    let headers = request.headers();
    if headers.contains_key(SEC_FETCH_SITE) {
        // `none` is what the user has asked for, and no page.
        let is_own = |site: &header::HeaderValue| site == "same-origin" || site == "none";
        return !headers.get_all(SEC_FETCH_SITE).all(is_own);
    }
    let host = host(request);
    !headers.get_all(header::ORIGIN).all(|origin| {
        let authority =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
    })
}

/// Every browser sends one of these. `User-Agent` is the weakest: some let pages write another one.
fn is_browser(headers: &HeaderMap) -> bool {
    let agent = || headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE) || agent()
}

/// What the client calls this registry; in HTTP/2 it stands in the target.
fn host(request: &HttpRequest) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| request.uri().authority().map(|authority| authority.as_str()))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.contains(']') && !name.ends_with(':') && port.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_else_can_have_made() {
        let hosts = Hosts::new(&["registry.example".to_owned()]);
        for (host, known) in [
            ("127.0.0.1", true),
            ("127.0.0.1:5000", true),
            ("10.1.2.3:5000", true),
            ("[::1]", true),
            ("[::1]:5000", true),
            ("localhost", true),
            ("LocalHost:5000", true),
            ("localhost.:5000", true),
            ("app.localhost:80", true),
            ("registry.example", true),
            ("Registry.Example:443", true),
            ("registry.example.", true),
            ("sub.registry.example", false),
            ("registry.example.evil.example:5000", false),
            ("evil.example:5000", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:5000", false),
            ("registry", false),
            ("", false),
            (":5000", false),
        ] {
            assert_eq!(hosts.know(host), known, "{host:?}");
        }
    }
}
