//! Errors as clients see them: the one place where rejections become statuses and codes.
//!
//! The shape and the closed list of codes are the distribution specification's ("Error codes"). Only `message`
//! reaches most users. `DENIED` is chosen wherever repeating the request is useless: common clients retry any other
//! code for seconds, and on some convert the image and push another digest.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tagstone_replay::fold::Reason;
use tagstone_schema::digest::DigestError;
use tagstone_schema::name::NameError;

use crate::history::HistoryError;
use crate::limit::Limit;
use crate::manifest::DocumentError;
use crate::registry::{Act, Immutable, Rejection, WriteError};

/// The codes of the distribution specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    Denied,
    Unauthorized,
    Unsupported,
    TooManyRequests,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Denied => "DENIED",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
        }
    }
}

/// A refusal, ready to be answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) detail: Value,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The limit that has refused, if it was one.
    pub(super) limit: Option<Limit>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: Value::Null, headers: Vec::new(), limit: None }
    }

    pub(super) fn bad_request(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// The method is not one of the resource's.
    pub(super) fn method(allowed: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unsupported,
            format!("this resource does not support the method; it allows {allowed}"),
        )
        .with_header(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// Something is wrong with the registry, not with the request; the cause is in its log.
    pub(super) fn internal(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message)
    }

    pub(super) fn with_detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says which limit has refused, in the message too.
    pub(super) fn by(mut self, limit: impl Into<Option<Limit>>) -> Self {
        self.limit = limit.into();
        if let Some(limit) = self.limit {
            self.message = limit.named_in(self.message);
        }
        self
    }

    /// The body: the OCI error form.
    pub(super) fn body(&self) -> String {
        let mut error = json!({"code": self.code.text(), "message": self.message});
        if !self.detail.is_null() {
            error["detail"] = self.detail.clone();
        }
        json!({"errors": [error]}).to_string()
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::bad_request(Code::NameInvalid, error.to_string())
    }
}

impl From<DigestError> for Refusal {
    fn from(error: DigestError) -> Self {
        Self::bad_request(Code::DigestInvalid, error.to_string())
    }
}

impl From<DocumentError> for Refusal {
    fn from(error: DocumentError) -> Self {
        Self::bad_request(Code::ManifestInvalid, error.to_string())
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match &rejection {
            Rejection::RepositoryUnknown { repository } => {
                Self::not_found(Code::NameUnknown, message).with_detail(json!({"repository": repository}))
            }
            Rejection::BlobUnknown { repository, digest } => Self::not_found(Code::BlobUnknown, message)
                .with_detail(json!({"repository": repository, "digest": digest})),
            Rejection::ManifestUnknown { repository, digest } => Self::not_found(Code::ManifestUnknown, message)
                .with_detail(json!({"repository": repository, "digest": digest})),
            Rejection::TagUnknown { repository, tag } => Self::not_found(Code::ManifestUnknown, message)
                .with_detail(json!({"repository": repository, "tag": tag})),
            Rejection::ReferencesMissing { missing, .. } => {
                Self::not_found(Code::ManifestBlobUnknown, message).with_detail(json!({"missing": missing}))
            }
            Rejection::InUse { digest, by, .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Denied, message)
                .with_detail(json!({"reason": "IN_USE", "digest": digest, "manifests": by})),
            Rejection::Overtaken { .. } => Self::new(StatusCode::CONFLICT, Code::Denied, message),
            Rejection::MediaTypeDiffers { .. } => Self::bad_request(Code::ManifestInvalid, message),
            Rejection::PreconditionFailed { reference, standing, .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, Code::Denied, message)
                    .with_detail(json!({"reason": "PRECONDITION_FAILED", "reference": reference, "digest": standing}))
            }
            Rejection::Immutable(immutable) => {
                let status = match immutable.act {
                    Act::Move { .. } => StatusCode::CONFLICT,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                Self::new(status, Code::Denied, message).with_detail(immutable_detail(immutable))
            }
            Rejection::Spent { repository, names } => {
                let names: Vec<_> = names
                    .iter()
                    .map(|name| json!({"tag": name.tag, "only_digest": name.only, "removed": name.removed.to_string()}))
                    .collect();
                Self::new(StatusCode::CONFLICT, Code::Denied, message)
                    .with_detail(json!({"reason": "TAG_SPENT", "repository": repository, "tags": names}))
            }
            Rejection::TagsUnknown { repository, tags } => Self::not_found(Code::ManifestUnknown, message)
                .with_detail(json!({"repository": repository, "tags": tags})),
            // Policies, locks and tokens are not spoken of below /v2.
            Rejection::LockedAndExpiring { .. }
            | Rejection::PatternInvalid(_)
            | Rejection::PolicyUnknown { .. }
            | Rejection::PolicyNotDraft { .. }
            | Rejection::PolicyChanged { .. }
            | Rejection::PolicyExists { .. }
            | Rejection::PolicyConflict(_)
            | Rejection::TooManyPolicies { .. }
            | Rejection::TokenExists { .. }
            | Rejection::TokenUnknown { .. }
            | Rejection::TooManyTokens { .. } => Self::bad_request(Code::Denied, message),
            Rejection::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message),
        }
    }
}

/// Which tags stand in the way, all of them, and what protects each.
fn immutable_detail(immutable: &Immutable) -> Value {
    let tags: Vec<_> = immutable
        .tags
        .iter()
        .map(|protected| {
            let reasons: Vec<_> = protected.reasons.iter().map(reason).collect();
            json!({"tag": protected.tag, "digest": protected.digest, "reasons": reasons})
        })
        .collect();
    let mut detail = json!({"reason": "TAG_IMMUTABLE", "repository": immutable.repository, "tags": tags});
    if immutable.more > 0 {
        detail["more"] = json!(immutable.more);
    }
    detail
}

/// Why a tag is protected, as JSON.
pub(super) fn reason(reason: &Reason) -> Value {
    json!(reason)
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            // It helps nobody to try again, so clients are told not to.
            HistoryError::Failed | HistoryError::Damaged(_) => {
                Self::new(status, Code::Denied, error.to_string()).with_detail(json!({"reason": "HISTORY_FAILED"}))
            }
            HistoryError::Behind { .. } | HistoryError::InDoubt => {
                Self::new(status, Code::TooManyRequests, error.to_string())
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Rejected(rejection) => rejection.into(),
            // It helps nobody to try again, so clients are told not to.
            WriteError::Poisoned(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Denied, message)
                .with_detail(json!({"reason": "READ_ONLY"})),
            WriteError::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyRequests, message)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5")),
            WriteError::Bug(_) => Self::internal(Code::Denied, message),
        }
    }
}
