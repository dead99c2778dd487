//! Paths: which resource a request is about.
//!
//! Repository names contain slashes, so paths below `/v2/` are read from their ends.

use super::api::ApiRoute;

/// A resource. The parts are not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v2/`
    Base,
    /// `/v2/token`
    LoginToken,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/_extensions/list`
    ExtensionList,
    /// `/v2/_oci/ext/discover` and `/v2/<name>/_oci/ext/discover`
    Discover { name: Option<&'a str> },
    /// `/v2/<name>/blobs/<digest>`
    Blob { name: &'a str, digest: &'a str },
    /// `/v2/<name>/blobs/uploads/`
    Uploads { name: &'a str },
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload { name: &'a str, id: &'a str },
    /// `/v2/<name>/manifests/<reference>`
    Manifest { name: &'a str, reference: &'a str },
    /// `/v2/<name>/tags/list`
    TagList { name: &'a str },
    /// `/v2/<name>/_tagstone/tags`
    TagTable { name: &'a str },
    /// `/v2/<name>/_oci/tag-history/<tag>`
    TagHistory { name: &'a str, tag: &'a str },
    /// `/v2/<name>/referrers/<digest>`
    Referrers { name: &'a str, digest: &'a str },
    /// `/healthz`
    Health,
    /// `/readyz`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/api/v1/` and all that is below
    Api(ApiRoute<'a>),
    /// Anything else.
    Unknown,
}

/// What the resources of the REST API are below.
const API: &str = "/api/v1";

impl<'a> Route<'a> {
    /// Reads a path, which is percent-decoded already.
    pub(super) fn of(path: &'a str) -> Self {
        match path {
            "/v2" | "/v2/" => Self::Base,
            "/healthz" => Self::Health,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ => Self::below(path),
        }
    }

    /// Reads a path that is not UTF-8 when percent-decoded. There is nothing at it, but it has its interface.
    pub(super) fn undecodable(path: &str) -> Self {
        if api_path(path).is_some() { Self::Api(ApiRoute::Unknown) } else { Self::Unknown }
    }

    fn below(path: &'a str) -> Self {
        if let Some(path) = path.strip_prefix("/v2/") {
            return Self::below_v2(path);
        }
        api_path(path).map_or(Self::Unknown, |path| Self::Api(ApiRoute::of(path)))
    }

    fn below_v2(path: &'a str) -> Self {
        match path {
            "token" => return Self::LoginToken,
            "_catalog" => return Self::Catalog,
            "_extensions/list" => return Self::ExtensionList,
            "_oci/ext/discover" => return Self::Discover { name: None },
            _ => {}
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads/").or_else(|| path.strip_suffix("/blobs/uploads")) {
            return Self::Uploads { name };
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Self::TagList { name };
        }
        if let Some(name) = path.strip_suffix("/_tagstone/tags") {
            return Self::TagTable { name };
        }
        if let Some(name) = path.strip_suffix("/_oci/ext/discover") {
            return Self::Discover { name: Some(name) };
        }
        let Some((rest, last)) = path.rsplit_once('/') else { return Self::Unknown };
        if let Some(name) = rest.strip_suffix("/blobs/uploads") {
            Self::Upload { name, id: last }
        } else if let Some(name) = rest.strip_suffix("/blobs") {
            Self::Blob { name, digest: last }
        } else if let Some(name) = rest.strip_suffix("/manifests") {
            Self::Manifest { name, reference: last }
        } else if let Some(name) = rest.strip_suffix("/_oci/tag-history") {
            Self::TagHistory { name, tag: last }
        } else if let Some(name) = rest.strip_suffix("/referrers") {
            Self::Referrers { name, digest: last }
        } else {
            Self::Unknown
        }
    }

    /// The names of the routes in metrics: these, and behind them those of the API.
    pub(super) const LABELS: [&'static str; Route::<'static>::OWN_LABELS.len() + ApiRoute::LABELS.len()] = {
        let mut labels = [""; Route::<'static>::OWN_LABELS.len() + ApiRoute::LABELS.len()];
        let (own, api) = labels.split_at_mut(Self::OWN_LABELS.len());
        own.copy_from_slice(&Self::OWN_LABELS);
        api.copy_from_slice(&ApiRoute::LABELS);
        labels
    };

    const OWN_LABELS: [&'static str; 17] = [
        "base",
        "catalog",
        "extensions",
        "discover",
        "blob",
        "uploads",
        "upload",
        "manifest",
        "tag_list",
        "tag_table",
        "referrers",
        "health",
        "ready",
        "metrics",
        "unknown",
        "tag_history",
        "login_token",
    ];

    /// The place of the route's label in [`Route::LABELS`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Base => 0,
            Self::Catalog => 1,
            Self::ExtensionList => 2,
            Self::Discover { .. } => 3,
            Self::Blob { .. } => 4,
            Self::Uploads { .. } => 5,
            Self::Upload { .. } => 6,
            Self::Manifest { .. } => 7,
            Self::TagList { .. } => 8,
            Self::TagTable { .. } => 9,
            Self::Referrers { .. } => 10,
            Self::Health => 11,
            Self::Ready => 12,
            Self::Metrics => 13,
            Self::Unknown => 14,
            Self::TagHistory { .. } => 15,
            Self::LoginToken => 16,
            Self::Api(route) => Self::OWN_LABELS.len() + route.index(),
        }
    }
}

/// What stands behind [`API`] in a path that is below it.
fn api_path(path: &str) -> Option<&str> {
    let path = path.strip_prefix(API)?;
    if path.is_empty() { Some(path) } else { path.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let cases = [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/token", Route::LoginToken),
            ("/v2/token/tags/list", Route::TagList { name: "token" }),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/_extensions/list", Route::ExtensionList),
            ("/v2/_oci/ext/discover", Route::Discover { name: None }),
            ("/v2/a/b/_oci/ext/discover", Route::Discover { name: Some("a/b") }),
            ("/v2/a/blobs/sha256:x", Route::Blob { name: "a", digest: "sha256:x" }),
            ("/v2/a/b/c/blobs/uploads/", Route::Uploads { name: "a/b/c" }),
            ("/v2/a/blobs/uploads", Route::Uploads { name: "a" }),
            ("/v2/a/blobs/uploads/1", Route::Upload { name: "a", id: "1" }),
            ("/v2/a/manifests/latest", Route::Manifest { name: "a", reference: "latest" }),
            ("/v2/manifests/manifests/manifests", Route::Manifest { name: "manifests", reference: "manifests" }),
            ("/v2/blobs/uploads/blobs/x", Route::Blob { name: "blobs/uploads", digest: "x" }),
            ("/v2/a/tags/list", Route::TagList { name: "a" }),
            ("/v2/a/_tagstone/tags", Route::TagTable { name: "a" }),
            ("/v2/a/b/_oci/tag-history/v1", Route::TagHistory { name: "a/b", tag: "v1" }),
            ("/v2/a/_oci/tag-history/", Route::TagHistory { name: "a", tag: "" }),
            ("/v2/a/referrers/sha256:x", Route::Referrers { name: "a", digest: "sha256:x" }),
            ("/healthz", Route::Health),
            ("/v2/a", Route::Unknown),
            ("/v2/a/b/", Route::Unknown),
            ("/api/v1", Route::Api(ApiRoute::Unknown)),
            ("/api/v1/", Route::Api(ApiRoute::Unknown)),
            ("/api/v1/whoami", Route::Api(ApiRoute::WhoAmI)),
            ("/api/v1/v2/", Route::Api(ApiRoute::Unknown)),
            ("/api/v1whoami", Route::Unknown),
            ("/api/v2/whoami", Route::Unknown),
            ("/v2/api/v1/whoami", Route::Unknown),
            ("/v1/", Route::Unknown),
            ("/", Route::Unknown),
        ];
        for (path, route) in cases {
            assert_eq!(Route::of(path), route, "{path}");
            assert!(route.index() < Route::LABELS.len());
        }
    }
}
