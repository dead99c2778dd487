//! Errors below `/api/v1`: the one place where rejections become their statuses and types.
//!
//! The form and the names of the types are Quay's, whose scripts look at `error_type` and `detail`:
//! `{"detail","error_message","error_type","title","type","status"}`, where `error_message` repeats `detail`, `title`
//! repeats `error_type`, and `type` is a reference to what the type means (RFC 9457). Fields for programs, such as
//! the manifests that stand in the way, stand beside these.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tagstone_schema::digest::DigestError;
use tagstone_schema::name::NameError;

use crate::http::error::Refusal;
use crate::http::refused::Refused;
use crate::limit::Limit;

/// What kind of error it is. A new one also gets its place in [`ErrorType::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorType {
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    TagImmutable,
    TagSpent,
    PolicyConflict,
    PolicyNotDraft,
    PolicyChanged,
    PolicyNotActive,
    RunUnderWay,
    InUse,
    Overtaken,
    PreconditionFailed,
    TooLarge,
    UriTooLong,
    HeadTooLarge,
    TooManyRequests,
    InternalError,
    ReadOnly,
    Unavailable,
    InsufficientStorage,
}

impl ErrorType {
    /// Every type.
    pub(super) const ALL: [Self; 24] = [
        Self::InvalidRequest,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TagImmutable,
        Self::TagSpent,
        Self::PolicyConflict,
        Self::PolicyNotDraft,
        Self::PolicyChanged,
        Self::PolicyNotActive,
        Self::RunUnderWay,
        Self::InUse,
        Self::Overtaken,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UriTooLong,
        Self::HeadTooLarge,
        Self::TooManyRequests,
        Self::InternalError,
        Self::ReadOnly,
        Self::Unavailable,
        Self::InsufficientStorage,
    ];

    /// Its name, the status it is answered with, and what it means.
    pub(super) fn meaning(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::InvalidRequest => {
                ("invalid_request", StatusCode::BAD_REQUEST, "A part of the request is not what it has to be.")
            }
            Self::InvalidToken => (
                "invalid_token",
                StatusCode::UNAUTHORIZED,
                "Credentials are needed, or those that were given are not valid.",
            ),
            Self::InsufficientScope => (
                "insufficient_scope",
                StatusCode::FORBIDDEN,
                "The client may not do this, or a browser sends it from another site.",
            ),
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, "What the request is about does not exist."),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The resource does not have this method; the Allow header names those that it has.",
            ),
            Self::RequestTimeout => {
                ("request_timeout", StatusCode::REQUEST_TIMEOUT, "The body of the request came too slowly.")
            }
            Self::TagImmutable => (
                "tag_immutable",
                StatusCode::CONFLICT,
                "Immutable tags stand in the way: `tags` names them and what protects them.",
            ),
            Self::TagSpent => (
                "tag_spent",
                StatusCode::CONFLICT,
                "The name is spent: its tag was removed, and it can only come back as the digest that is named.",
            ),
            Self::PolicyConflict => (
                "policy_conflict",
                StatusCode::BAD_REQUEST,
                "The policy contradicts others: together they would protect every tag there can be, or it could never \
                 prune any.",
            ),
            Self::PolicyNotDraft => ("policy_not_draft", StatusCode::CONFLICT, "Only a draft can be activated."),
            Self::PolicyChanged => {
                ("policy_changed", StatusCode::CONFLICT, "The policy was changed while its run was under way.")
            }
            Self::PolicyNotActive => {
                ("policy_not_active", StatusCode::CONFLICT, "The policy is a draft, which enforces nothing.")
            }
            Self::RunUnderWay => (
                "run_under_way",
                StatusCode::CONFLICT,
                "A run of the policy, or a collection, is under way; there is one at a time.",
            ),
            Self::InUse => ("in_use", StatusCode::CONFLICT, "Manifests that remain still need what was to go."),
            Self::Overtaken => (
                "overtaken",
                StatusCode::CONFLICT,
                "What the request is about was changed again and again while it was worked on; nothing was done, try again.",
            ),
            Self::PreconditionFailed => (
                "precondition_failed",
                StatusCode::PRECONDITION_FAILED,
                "The If-Match or If-None-Match of the request does not hold.",
            ),
            Self::TooLarge => {
                ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body, or the change it asks for, is too large.")
            }
            Self::UriTooLong => ("uri_too_long", StatusCode::URI_TOO_LONG, "The path and query are too long."),
            Self::HeadTooLarge => (
                "head_too_large",
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The header of the request has too many fields, or too many bytes.",
            ),
            Self::TooManyRequests => (
                "too_many_requests",
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many wrong credentials, or the client has too many requests under way; Retry-After says when to try \
                 again.",
            ),
            Self::InternalError => (
                "internal_error",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something is wrong with the registry, not with the request; its log says more.",
            ),
            Self::ReadOnly => (
                "read_only",
                StatusCode::SERVICE_UNAVAILABLE,
                "A write to the disk failed; nothing is written until an operator restarts the registry.",
            ),
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The registry is starting or stopping, an index of its history is not usable, or as many streams are open as \
                 there may be; where trying again helps, Retry-After says when.",
            ),
            Self::InsufficientStorage => (
                "insufficient_storage",
                StatusCode::INSUFFICIENT_STORAGE,
                "The disk has no more space than is kept free, so nothing is added; deleting and purging go on.",
            ),
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.meaning().0
    }

    /// The reference that stands as `type`.
    pub(super) fn reference(self) -> String {
        format!("/api/v1/error/{}", self.name())
    }
}

/// A refusal below `/api/v1`, ready to be answered.
#[derive(Debug)]
pub(in crate::http) struct ApiRefusal {
    error_type: ErrorType,
    detail: String,
    fields: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    limit: Option<Limit>,
}

impl ApiRefusal {
    pub(super) fn new(error_type: ErrorType, detail: impl Into<String>) -> Self {
        Self { error_type, detail: detail.into(), fields: Map::new(), headers: Vec::new(), limit: None }
    }

    pub(super) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorType::InvalidRequest, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorType::NotFound, detail)
    }

    /// One more field for programs.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says which limit has refused.
    pub(super) fn by(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl From<ApiRefusal> for Refused {
    fn from(refusal: ApiRefusal) -> Self {
        let (name, status, _) = refusal.error_type.meaning();
        let mut body = refusal.fields;
        for (field, value) in [
            ("detail", json!(refusal.detail)),
            ("error_message", json!(refusal.detail)),
            ("error_type", json!(name)),
            ("title", json!(name)),
            ("type", json!(refusal.error_type.reference())),
            ("status", json!(status.as_u16())),
        ] {
            body.insert(field.to_owned(), value);
        }
        let body = Value::Object(body).to_string();
        Self { status, headers: refusal.headers, limit: refusal.limit, message: refusal.detail, body }
    }
}

/// What both interfaces refuse alike: queries, bodies, conditions, methods. Its status says what type it is.
impl From<Refusal> for ApiRefusal {
    fn from(refusal: Refusal) -> Self {
        let error_type = match refusal.status {
            StatusCode::UNAUTHORIZED => ErrorType::InvalidToken,
            StatusCode::FORBIDDEN => ErrorType::InsufficientScope,
            StatusCode::NOT_FOUND => ErrorType::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ErrorType::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => ErrorType::RequestTimeout,
            StatusCode::PRECONDITION_FAILED => ErrorType::PreconditionFailed,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorType::TooLarge,
            StatusCode::URI_TOO_LONG => ErrorType::UriTooLong,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ErrorType::HeadTooLarge,
            StatusCode::TOO_MANY_REQUESTS => ErrorType::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => ErrorType::Unavailable,
            StatusCode::INSUFFICIENT_STORAGE => ErrorType::InsufficientStorage,
            status if status.is_server_error() => ErrorType::InternalError,
            _ => ErrorType::InvalidRequest,
        };
        Self { headers: refusal.headers, limit: refusal.limit, ..Self::new(error_type, refusal.message) }
    }
}

impl From<NameError> for ApiRefusal {
    fn from(error: NameError) -> Self {
        Self::invalid_request(error.to_string())
    }
}

impl From<DigestError> for ApiRefusal {
    fn from(error: DigestError) -> Self {
        Self::invalid_request(error.to_string())
    }
}
