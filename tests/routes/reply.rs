//! Answers, taken apart.

use actix_web::body::{BodySize, MessageBody, to_bytes};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use bytes::Bytes;
use serde_json::Value;

/// The codes of the distribution specification ("Error codes"). No other is ever answered.
const CODES: [&str; 14] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
];

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The `Content-Length` that the connection sends.
    pub(crate) length: Option<u64>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) async fn of(response: ServiceResponse) -> Self {
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response.into_body();
        let length = match body.size() {
            BodySize::Sized(length) => Some(length),
            BodySize::None | BodySize::Stream => None,
        };
        let body = to_bytes(body).await.unwrap_or_else(|error| panic!("the body of an answer broke off: {error}"));
        Self { status, headers, length, body }
    }

    /// A header that stands at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} stands {} times: {all:?}", all.len());
        all.first().copied()
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The first, and only, error of a refusal.
    pub(crate) fn error(&self) -> Value {
        self.json()["errors"][0].clone()
    }

    /// The form that every refusal has.
    pub(crate) fn check_refusal(&self, method: &Method, shown: &str) {
        assert_eq!(self.header("content-type"), Some("application/json"), "{shown}");
        assert!(self.length.is_some_and(|length| length > 0), "{shown}: a refusal without a length");
        if *method == Method::HEAD {
            assert!(self.body.is_empty(), "{shown}: HEAD was answered with a body");
            return;
        }
        let body = self.json();
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{shown}: {body}");
        let error = self.error();
        let code = error["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{shown}: {body}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{shown}: {body}");
        let known = |key: &String| ["code", "message", "detail"].contains(&key.as_str());
        assert!(error.as_object().is_some_and(|error| error.keys().all(known)), "{shown}: {body}");
    }
}
