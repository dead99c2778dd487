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

/// The types of errors below `/api/v1`, with their statuses.
pub(crate) const TYPES: [(&str, u16); 24] = [
    ("overtaken", 409),
    ("invalid_request", 400),
    ("policy_conflict", 400),
    ("invalid_token", 401),
    ("insufficient_scope", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("request_timeout", 408),
    ("in_use", 409),
    ("tag_immutable", 409),
    ("tag_spent", 409),
    ("policy_not_draft", 409),
    ("policy_changed", 409),
    ("policy_not_active", 409),
    ("run_under_way", 409),
    ("precondition_failed", 412),
    ("too_large", 413),
    ("uri_too_long", 414),
    ("too_many_requests", 429),
    ("head_too_large", 431),
    ("internal_error", 500),
    ("read_only", 503),
    ("unavailable", 503),
    ("insufficient_storage", 507),
];

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
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

    /// The error of a refusal: the first, and only, one of a list, or below `/api/v1` the body itself.
    pub(crate) fn error(&self) -> Value {
        let body = self.json();
        body.get("errors").map_or(body.clone(), |errors| errors[0].clone())
    }

    /// The form that every refusal has; the one below `/api/v1` is another.
    pub(crate) fn check_refusal(&self, method: &Method, path: &str, shown: &str) {
        assert_eq!(self.header("content-type"), Some("application/json"), "{shown}");
        assert!(self.length.is_some_and(|length| length > 0), "{shown}: a refusal without a length");
        if *method == Method::HEAD {
            assert!(self.body.is_empty(), "{shown}: HEAD was answered with a body");
            return;
        }
        let path = path.split('?').next().unwrap_or_default();
        if path == "/api/v1" || path.starts_with("/api/v1/") {
            return self.check_api_refusal(shown);
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

    fn check_api_refusal(&self, shown: &str) {
        let body = self.json();
        let error_type = body["error_type"].as_str().unwrap_or_default();
        assert!(TYPES.contains(&(error_type, self.status)), "{shown}: {} with {body}", self.status);
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{shown}: {body}");
        assert_eq!(body["error_message"], body["detail"], "{shown}");
        assert_eq!(body["title"], body["error_type"], "{shown}");
        assert_eq!(body["type"], format!("/api/v1/error/{error_type}"), "{shown}");
        assert_eq!(body["status"], self.status, "{shown}");
        assert!(body.get("errors").is_none(), "{shown}: {body}");
    }
}
