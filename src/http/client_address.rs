//! Which address a request comes from, and how its client speaks.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Proxies that are believed when they say for whom they ask. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// The proxies in these networks.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// The address of the client. Only proxies that are trusted are asked for whom they ask, the nearest one first; whatever stands
    /// before the first address that is not trusted may have been written by anybody.
    pub(super) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        Some(if self.trust(peer) { self.behind(peer, request.headers()) } else { peer })
    }

    /// How the client speaks: `http` or `https`. A proxy that is trusted may say that it has taken off TLS.
    pub(super) fn scheme(&self, request: &HttpRequest) -> &'static str {
        let is_trusted = request.peer_addr().is_some_and(|peer| self.trust(peer.ip().to_canonical()));
        let said = request.headers().get(FORWARDED_PROTO).filter(|_| is_trusted).and_then(|said| said.to_str().ok());
        let first = said.and_then(|said| said.split(',').next()).map(str::trim).unwrap_or_default();
        match first {
            first if first.eq_ignore_ascii_case("https") => "https",
            first if first.eq_ignore_ascii_case("http") => "http",
            _ if request.app_config().secure() => "https",
            _ => "http",
        }
    }

    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default());
        let mut named: Vec<_> = lines.flat_map(|line| line.split(',')).collect();
        let mut nearest = peer;
        while let Some(address) = named.pop().and_then(address) {
            nearest = address;
            if !self.trust(address) {
                break;
            }
        }
        nearest
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
        let request = lines.iter().fold(request, |request, line| request.append_header((FORWARDED_FOR, *line)));
        TrustedProxies::new(&networks).client(&request.to_http_request()).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = &["10.0.0.0/8", "fd00::/8"][..];
        for (trusted, peer, lines, expected) in [
            (&[][..], "10.0.0.1", &["203.0.113.9"][..], "10.0.0.1"),
            (proxies, "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            (proxies, "10.0.0.1", &[], "10.0.0.1"),
            (proxies, "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (proxies, "::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // Whatever the client has written stands further left.
            (proxies, "10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (proxies, "10.0.0.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            (proxies, "10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
            (proxies, "10.0.0.1", &["203.0.113.9,10.2.2.2", "10.9.9.9"], "203.0.113.9"),
            // All of them are proxies: the farthest one is the client.
            (proxies, "10.0.0.1", &["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (proxies, "10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            (proxies, "fd00::1", &["[2001:db8::9]:4711"], "2001:db8::9"),
            (proxies, "fd00::1", &["[2001:db8::9]"], "2001:db8::9"),
            (proxies, "fd00::1", &["2001:db8::9"], "2001:db8::9"),
            (proxies, "fd00::1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            // What is no address ends the chain at whoever has written it.
            (proxies, "10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
            (proxies, "10.0.0.1", &["203.0.113.9, nonsense, 10.2.2.2"], "10.2.2.2"),
            (proxies, "10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(client(trusted, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_scheme_is_what_trusted_proxies_say() {
        let proxies = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        for (peer, said, expected) in [
            ("10.0.0.1", "https", "https"),
            ("10.0.0.1", " HTTPS , http", "https"),
            ("10.0.0.1", "http", "http"),
            ("10.0.0.1", "", "http"),
            ("10.0.0.1", "javascript", "http"),
            ("192.0.2.1", "https", "http"),
        ] {
            let request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
            let request = request.insert_header((FORWARDED_PROTO, said)).to_http_request();
            assert_eq!(proxies.scheme(&request), expected, "{peer} {said:?}");
        }
    }
}
