//! Targets (see [`crate::outside`]) for what stands in requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use ipnet::IpNet;
use percent_encoding::percent_decode;
use tagstone_schema::name::AS_OF;

use super::api::outside as api;
use super::as_of::{Named, repository_of};
use super::browser::Hosts;
use super::client_address::TrustedProxies;
use super::conditions;
use super::demand::Demand;
use super::manifests::Reference;
use super::page::Page;
use super::query::Query;
use super::range::{Wanted, chunk, progress, wanted};
use super::route::Route;
use super::tag_history::Asking;

/// The path of a request, percent-encoded.
pub(crate) fn path(bytes: &[u8]) {
    let decoded = percent_decode(bytes).decode_utf8();
    let Ok(path) = decoded.as_deref() else {
        let _ = Route::undecodable(&String::from_utf8_lossy(bytes));
        return;
    };
    let route = Route::of(path);
    assert!(route.index() < Route::LABELS.len());
    for method in [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        match Demand::of(route, &method) {
            Demand::Pull(name) => {
                assert!(path.contains(name), "{path:?} is judged by {name:?}");
                // A name that shows the past is never judged itself; behind another one it can be no repository.
                let is_past = matches!(Named::of(name), Ok(Named::Then(..)));
                assert!(!is_past || path.matches(AS_OF).count() > 1, "{path:?} is judged by {name:?}");
            }
            Demand::Push(name) | Demand::PullAndPush(name) | Demand::PullAndDelete(name) => {
                assert!(path.contains(name), "{path:?} is judged by {name:?}");
                assert_eq!(repository_of(name), name, "{path:?} writes to the past");
            }
            Demand::Nothing | Demand::Entry | Demand::User | Demand::Administrator => {}
        }
    }
    if let Ok(Named::Then(_, name)) = Named::of(path) {
        assert_eq!(repository_of(path), name.as_str(), "who may pull it is judged by another name");
    }
    let _ = Reference::of(path);
}

/// `Range` and `Content-Range`.
pub(crate) fn range(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    for length in [0, 1, 1000, u64::MAX] {
        if let Wanted::Part { first, last } = wanted(Some(text), length) {
            assert!(first <= last && last < length);
        }
    }
    if let Some((first, last)) = chunk(text) {
        assert!(first <= last && last < u64::MAX);
        assert_eq!(chunk(&format!("{first}-{last}")), Some((first, last)));
        let _ = progress(last + 1);
    }
}

/// The query of a request, as every list reads it.
pub(crate) fn query(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let query = Query::new(text);
    for pair in query.pairs().flatten() {
        if let Ok(values) = query.all(pair.0) {
            assert!(values.contains(&pair.1));
        }
    }
    assert!(Query::new(&query.without("n")).one("n").is_ok_and(|n| n.is_none()));
    if let Ok(page) = Page::of(&query, 1000) {
        assert!(page.size <= 1000);
    }
    let _ = Asking::of(&query, 1000);
    api::query(&query);
}

/// `X-Forwarded-For`, a line a header field, by proxies that are trusted or not.
pub(crate) fn forwarded(bytes: &[u8]) {
    let networks: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|network| network.parse().ok()).collect();
    let trusted = TrustedProxies::new(&networks);
    for (peer, is_trusted) in [(Ipv4Addr::new(10, 0, 0, 1), true), (Ipv4Addr::new(192, 0, 2, 1), false)] {
        let request = TestRequest::default().peer_addr(SocketAddr::new(peer.into(), 1));
        let values = bytes.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
        let request = values
            .fold(request, |request, value| request.append_header((HeaderName::from_static("x-forwarded-for"), value)));
        let client = trusted.client(&request.to_http_request());
        assert!(is_trusted || client == Some(IpAddr::V4(peer)), "{client:?} is believed");
    }
}

/// Headers that are lists or names of their own: conditions, what is accepted, the host.
pub(crate) fn headers(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for name in [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_RANGE, header::ACCEPT] {
        let request = TestRequest::default().append_header((name, value.clone())).to_http_request();
        let _ = conditions::of_write(&request);
        let _ = conditions::is_unchanged(&request, digest);
        let _ = conditions::range_applies(&request, digest);
        api::accept(request.headers());
    }
    let host = &*String::from_utf8_lossy(bytes);
    if Hosts::default().know(host) {
        let lower = host.to_ascii_lowercase();
        assert!(lower.contains("localhost") || host.contains([':', '.']), "{host:?} is no name of this registry");
    }
}

/// The bodies of the REST API.
pub(crate) fn json_body(bytes: &[u8]) {
    api::bodies(bytes);
}
