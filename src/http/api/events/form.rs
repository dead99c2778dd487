//! Events as the OpenAPI document describes them. What is sent is written by `tagstone_replay::audit::EventForm`.

use serde_json::Value;
use utoipa::ToSchema;

use crate::http::api::whoami::ActorForm;

/// One thing that happened. Which of the fields below `kind` an event has depends on its kind.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "it is only described; events are written by the crate that reads them")]
pub(in crate::http::api) struct EventSchema {
    /// The record that it stands in.
    seq: u64,
    /// Its place in the record, from 0.
    index: u32,
    /// When it was committed (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    time: String,
    /// Who did it.
    actor: ActorForm,
    /// From where it came; the fields are empty for what the registry did itself.
    origin: EventOrigin,
    #[schema(example = "tag_moved")]
    kind: String,
    repository: Option<String>,
    namespace: Option<String>,
    tag: Option<String>,
    /// What was pushed or removed; of the end of a tag, where it pointed.
    digest: Option<String>,
    /// Where a tag pointed before.
    from: Option<String>,
    /// Where a tag points now.
    to: Option<String>,
    /// Why a tag ended: `request`, `prune`, `expiry`, `purge`, `erased`, `manifest_deleted` or `repository_deleted`.
    cause: Option<String>,
    /// Id of the policy.
    policy: Option<String>,
    /// Id of the prune run.
    run: Option<String>,
    /// Where the policy holds: `registry`, `namespace` or `repository`.
    scope: Option<String>,
    /// What the policy demands.
    #[schema(value_type = Option<Object>)]
    rule: Option<Value>,
    /// Why somebody did it.
    reason: Option<String>,
    size: Option<u64>,
    mounted_from: Option<String>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    subject: Option<String>,
    /// What a manifest references.
    #[schema(value_type = Option<Object>)]
    references: Option<Value>,
    /// When a tag or an access token is to expire (RFC 3339).
    #[schema(format = DateTime)]
    expires: Option<String>,
    /// Content whose bytes are gone: `digest`, `size`, `kind`.
    contents: Option<Vec<Value>>,
    /// Id of the access token.
    token: Option<String>,
    /// Whose access token it is.
    user: Option<String>,
    scopes: Option<Vec<Value>>,
    label: Option<String>,
    /// When the first of the refused attempts was made (RFC 3339).
    #[schema(format = DateTime)]
    first: Option<String>,
    /// When the last of them was made (RFC 3339).
    #[schema(format = DateTime)]
    last: Option<String>,
    /// What was tried and refused, as `/api/v1/refusals` lists it.
    entries: Option<Vec<Value>>,
    /// Refused attempts that are not among `entries`.
    others: Option<u64>,
    /// Id of the log.
    log: Option<String>,
    /// Version of the program that opened the log.
    version: Option<String>,
}

/// Where a change came from.
#[derive(ToSchema)]
#[schema(as = Origin)]
#[expect(dead_code, reason = "it is only described")]
struct EventOrigin {
    /// `X-Request-Id` of the answer.
    request_id: String,
    /// The client's address.
    address: String,
    user_agent: String,
}
