//! A raw client of the registry: requests as they are on the wire, every answer as it came, nothing retried.

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Method, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use super::layout::OCI_MANIFEST;

/// Keeps a test from hanging for ever; no answer takes this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Every kind of manifest there is. A registry may convert what a client does not accept, and Debian's does.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// Talks to one registry. Each client has its own connections.
pub(crate) struct Client {
    agent: Agent,
    url: String,
    /// The value of `Authorization`.
    authorization: Option<String>,
}

/// No answer, or only a part of one, came back: what the request did is not known.
#[derive(Debug)]
pub(crate) struct Lost(String);

/// One answer in full.
pub(crate) struct Answer {
    request: String,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer, unless it was lost.
pub(crate) type Sent = Result<Answer, Lost>;

impl Client {
    /// A client of the registry at `url`, such as `http://127.0.0.1:5000`.
    pub(crate) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None::<Proxy>)
            .max_redirects(0)
            .timeout_global(Some(DEADLINE));
        Self { agent: Agent::new_with_config(config.build()), url: url.to_owned(), authorization: None }
    }

    /// [`Client::new`] that trusts an authority, in PEM, and no other.
    pub(crate) fn trusting(url: &str, authority: &str) -> Self {
        let authority = Certificate::from_pem(authority.as_bytes()).expect("a certificate in PEM");
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None::<Proxy>)
            .max_redirects(0)
            .timeout_global(Some(DEADLINE))
            .tls_config(tls);
        Self { agent: Agent::new_with_config(config.build()), url: url.to_owned(), authorization: None }
    }

    /// The same client with a name and a password.
    pub(crate) fn login(mut self, user: &str, password: &str) -> Self {
        self.authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    /// A request without a body; `at` is a path, or an absolute URL that the registry has named.
    pub(crate) fn request(&self, method: Method, at: &str, headers: &[(&str, &str)]) -> Sent {
        self.perform(self.head(method, at, headers).body(()).expect("a well-formed request"))
    }

    /// A request with a body of known length.
    pub(crate) fn send(&self, method: Method, at: &str, headers: &[(&str, &str)], body: &[u8]) -> Sent {
        self.perform(self.head(method, at, headers).body(body).expect("a well-formed request"))
    }

    pub(crate) fn get(&self, at: &str) -> Sent {
        self.request(Method::GET, at, &[])
    }

    pub(crate) fn delete(&self, at: &str) -> Sent {
        self.request(Method::DELETE, at, &[])
    }

    pub(crate) fn get_blob(&self, repository: &str, digest: &str) -> Sent {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
    }

    pub(crate) fn get_manifest(&self, repository: &str, reference: &str) -> Sent {
        let at = format!("/v2/{repository}/manifests/{reference}");
        self.request(Method::GET, &at, &[("Accept", MANIFESTS)])
    }

    pub(crate) fn delete_manifest(&self, repository: &str, reference: &str) -> Sent {
        self.delete(&format!("/v2/{repository}/manifests/{reference}"))
    }

    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, bytes: &[u8]) -> Sent {
        let at = format!("/v2/{repository}/manifests/{reference}");
        self.send(Method::PUT, &at, &[("Content-Type", OCI_MANIFEST)], bytes)
    }

    /// Opens an upload session; the answer's `Location` continues it.
    pub(crate) fn open_upload(&self, repository: &str) -> Sent {
        self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), &[], &[])
    }

    /// Sends the bytes from `offset` on to an upload session.
    pub(crate) fn patch(&self, location: &str, offset: usize, bytes: &[u8]) -> Sent {
        let range = format!("{offset}-{}", (offset + bytes.len()).saturating_sub(1));
        let headers = [("Content-Range", range.as_str()), ("Content-Type", "application/octet-stream")];
        self.send(Method::PATCH, location, &headers, bytes)
    }

    /// Ends an upload session, with the last of its bytes if there are any left.
    pub(crate) fn close_upload(&self, location: &str, digest: &str, last: &[u8]) -> Sent {
        let separator = if location.contains('?') { '&' } else { '?' };
        let at = format!("{location}{separator}digest={digest}");
        self.send(Method::PUT, &at, &[("Content-Type", "application/octet-stream")], last)
    }

    /// Pushes a blob in one POST and one PUT, and returns its digest.
    #[track_caller]
    pub(crate) fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let location = self.open_upload(repository).expect("an answer").expecting(202).location();
        self.close_upload(&location, &digest, bytes).expect("an answer").expecting(201);
        digest
    }

    /// The names of all tags, page after page; none if the repository is unknown.
    pub(crate) fn tags(&self, repository: &str) -> Result<Vec<String>, Lost> {
        let mut tags = Vec::new();
        let mut page = Some(format!("/v2/{repository}/tags/list"));
        while let Some(at) = page {
            let answer = self.get(&at)?;
            if answer.status == 404 {
                break;
            }
            let answer = answer.expecting(200);
            let names = answer.json()["tags"].as_array().cloned().unwrap_or_default();
            tags.extend(names.iter().filter_map(|name| name.as_str().map(str::to_owned)));
            page = answer.header("Link").and_then(|link| Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned()));
        }
        Ok(tags)
    }

    fn head(&self, method: Method, at: &str, headers: &[(&str, &str)]) -> ureq::http::request::Builder {
        let url = if at.starts_with('/') { format!("{}{at}", self.url) } else { at.to_owned() };
        let authorization = self.authorization.as_ref().map(|value| ("Authorization", value.as_str()));
        headers
            .iter()
            .chain(&authorization)
            .fold(Request::builder().method(method).uri(url), |request, (name, value)| request.header(*name, *value))
    }

    fn perform(&self, request: Request<impl ureq::AsSendBody>) -> Sent {
        let line = format!("{} {}", request.method(), request.uri());
        let lost = |error: ureq::Error| Lost(format!("{line}: {error}"));
        let mut response = self.agent.run(request).map_err(lost)?;
        // No limit: a body that ends early is an error of its own, which a silently cut one would not be.
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec().map_err(lost)?;
        Ok(Answer { request: line, status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

impl Answer {
    /// This answer, which has to have this status.
    #[track_caller]
    pub(crate) fn expecting(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header of ASCII"))
    }

    #[track_caller]
    pub(crate) fn location(&self) -> String {
        self.header("Location").unwrap_or_else(|| panic!("no Location: {self}")).to_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON, {error}: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.body[..self.body.len().min(500)];
        write!(f, "{} -> {}\n{:#?}\n{}", self.request, self.status, self.headers, String::from_utf8_lossy(start))
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sha256 digest of some bytes, as the registry names them.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}

/// An OCI image manifest with these blobs; `note` makes its bytes like no other.
pub(crate) fn manifest(config: (&str, usize), layers: &[(&str, usize)], note: &str) -> Vec<u8> {
    let layers: Vec<_> = layers
        .iter()
        .map(|(digest, size)| serde_json::json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}))
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1},
        "layers": layers, "annotations": {"note": note}});
    manifest.to_string().into_bytes()
}
