//! Rejections as errors of the API.

use actix_web::http::header::{self, HeaderValue};
use serde_json::{Value, json};

use super::error::{ApiRefusal, ErrorType};
use crate::http::error::reason;
use crate::registry::{Act, Immutable, Protected, Rejection, SpentName, WriteError};

impl From<Rejection> for ApiRefusal {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::RepositoryUnknown { repository } => {
                Self::not_found(message).with("repository", json!(repository))
            }
            Rejection::BlobUnknown { repository, digest } | Rejection::ManifestUnknown { repository, digest } => {
                Self::not_found(message).with("repository", json!(repository)).with("digest", json!(digest))
            }
            Rejection::TagUnknown { repository, tag } => {
                Self::not_found(message).with("repository", json!(repository)).with("tags", json!([tag]))
            }
            Rejection::ReferencesMissing { missing, .. } => Self::not_found(message).with("missing", json!(missing)),
            Rejection::InUse { digest, by, .. } => {
                Self::new(ErrorType::InUse, message).with("digest", json!(digest)).with("manifests", json!(by))
            }
            Rejection::Overtaken { .. } => Self::new(ErrorType::Overtaken, message),
            Rejection::MediaTypeDiffers { .. } => Self::invalid_request(message),
            Rejection::PreconditionFailed { reference, standing, .. } => {
                Self::new(ErrorType::PreconditionFailed, message)
                    .with("reference", json!(reference))
                    .with("digest", json!(standing))
            }
            Rejection::Immutable(immutable) => {
                let mut refusal = Self::new(ErrorType::TagImmutable, act_refused(&immutable))
                    .with("explanation", json!(message))
                    .with("repository", json!(immutable.repository))
                    .with("tags", immutable.tags.iter().map(protected).collect());
                if immutable.more > 0 {
                    refusal = refusal.with("more", json!(immutable.more));
                }
                refusal
            }
            Rejection::LockedAndExpiring { repository, tag } => {
                Self::new(ErrorType::TagImmutable, format!("Cannot set an expiration on immutable tag '{tag}'"))
                    .with("explanation", json!(message))
                    .with("repository", json!(repository))
                    .with("tags", json!([{"tag": tag}]))
            }
            Rejection::Spent { repository, names } => {
                let spent = |name: &SpentName| json!({"tag": name.tag, "only_digest": name.only, "removed": name.removed.to_string()});
                Self::new(ErrorType::TagSpent, message)
                    .with("repository", json!(repository))
                    .with("tags", names.iter().map(spent).collect())
            }
            Rejection::TagsUnknown { repository, tags } => {
                Self::not_found(message).with("repository", json!(repository)).with("tags", json!(tags))
            }
            Rejection::PatternInvalid(_) | Rejection::TooManyPolicies { .. } => Self::invalid_request(message),
            Rejection::PolicyUnknown { .. } => Self::not_found(message),
            Rejection::PolicyNotDraft { .. } => Self::new(ErrorType::PolicyNotDraft, message),
            Rejection::PolicyChanged { .. } => Self::new(ErrorType::PolicyChanged, message),
            Rejection::PolicyExists { policy } => Self::invalid_request(message).with("policy", json!(policy)),
            Rejection::PolicyConflict(_) => Self::new(ErrorType::PolicyConflict, message),
            Rejection::TokenUnknown { .. } => Self::not_found(message),
            Rejection::TokenExists { .. } | Rejection::TooManyTokens { .. } => Self::invalid_request(message),
            Rejection::TooLarge { .. } => Self::new(ErrorType::TooLarge, message),
        }
    }
}

impl From<WriteError> for ApiRefusal {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::Rejected(rejection) => rejection.into(),
            WriteError::Poisoned(_) => Self::new(ErrorType::ReadOnly, message),
            WriteError::Stopped => Self::new(ErrorType::Unavailable, message)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5")),
            WriteError::Bug(_) => Self::new(ErrorType::InternalError, message),
        }
    }
}

/// What cannot be done, in the words that scripts written for Quay know. The explanation stands beside it.
fn act_refused(immutable: &Immutable) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = immutable.tags.iter().take(SHOWN).map(|protected| format!("'{}'", protected.tag)).collect();
    let more = (immutable.tags.len() - names.len()) + immutable.more;
    let tags = match (names.as_slice(), more) {
        ([only], 0) => format!("immutable tag {only}"),
        (names, 0) => format!("immutable tags {}", names.join(", ")),
        (names, more) => format!("immutable tags {} and {more} more", names.join(", ")),
    };
    match &immutable.act {
        Act::Move { .. } => format!("Cannot overwrite {tags}"),
        Act::DeleteTags => format!("Cannot delete {tags}"),
        Act::DeleteContent { digest } => format!("Cannot delete {digest}, which is held by {tags}"),
        Act::DeleteRepository => format!("Cannot delete repository '{}', which holds {tags}", immutable.repository),
        Act::Expire => format!("Cannot set an expiration on {tags}"),
    }
}

fn protected(protected: &Protected) -> Value {
    let reasons: Vec<_> = protected.reasons.iter().map(reason).collect();
    json!({"tag": protected.tag, "digest": protected.digest, "reasons": reasons})
}
