//! Prune policies, of a namespace or a repository.

use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::policy::{Pattern, PruneMethod, Rule};
use utoipa::ToSchema;

use super::super::error::ApiRefusal;
use super::super::route::ScopePath;
use super::super::{ApiAnswer, json};
use super::form::Life;
use super::form::{PolicyCreated, PolicyDeleted, PolicyList};
use super::own_id;
use super::scoped::{Kind, NewPolicy, Scoped};
use crate::http::exchange::Exchange;

/// A policy that prunes tags.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PrunePolicy {
    #[serde(flatten)]
    life: Life,
    method: MethodName,
    value: MethodValue,
    /// A regular expression, always matched against the full name of a tag; `null` if every tag is pruned.
    tag_pattern: Option<String>,
    /// Whether the names that match are pruned, or those that do not.
    tag_pattern_matches: bool,
}

impl PrunePolicy {
    pub(super) fn new(life: Life, method: PruneMethod, pattern: Option<&Pattern>) -> Self {
        let (method, value) = match method {
            PruneMethod::NumberOfTags(count) => (MethodName::NumberOfTags, MethodValue::Count(count)),
            PruneMethod::CreationDate(age) => (MethodName::CreationDate, MethodValue::Age(age.to_string())),
        };
        let tag_pattern = pattern.map(|pattern| pattern.regex.clone());
        let tag_pattern_matches = pattern.is_none_or(|pattern| pattern.matches);
        Self { life, method, value, tag_pattern, tag_pattern_matches }
    }
}

/// Which of the selected tags go: all but the newest so many, or those that were created longer ago than this.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PruneMethod)]
enum MethodName {
    NumberOfTags,
    CreationDate,
}

/// For `number_of_tags` how many remain, from 1; for `creation_date` an age such as `7d`, in one of the units s, m, h,
/// d, w and y.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "give a whole number from 1, or an age such as \"7d\"")]
#[schema(as = PruneValue)]
enum MethodValue {
    Count(u64),
    Age(String),
}

/// A prune policy that is to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewPrunePolicy {
    method: MethodName,
    value: MethodValue,
    /// A regular expression in the syntax of the `regex` crate, of at most 256 characters, always matched against the
    /// full name of a tag; without it every tag is selected. White space around it is cut off.
    tag_pattern: Option<String>,
    /// Whether the names that match are to be pruned, or those that do not.
    #[schema(default = true)]
    tag_pattern_matches: Option<bool>,
    /// `false` makes a draft, which prunes nothing until it is activated.
    #[schema(default = true)]
    active: Option<bool>,
}

/// What a prune policy is to demand instead. What is left out becomes its default, not what it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ChangedPrunePolicy {
    /// As in the path; scripts that send the policy back may leave it in.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    uuid: Option<String>,
    method: MethodName,
    value: MethodValue,
    /// A regular expression, as at the creation.
    tag_pattern: Option<String>,
    /// Whether the names that match are to be pruned, or those that do not.
    #[schema(default = true)]
    tag_pattern_matches: Option<bool>,
}

fn method(name: MethodName, value: MethodValue) -> Result<PruneMethod, ApiRefusal> {
    match (name, value) {
        (MethodName::NumberOfTags, MethodValue::Count(count)) if count > 0 => Ok(PruneMethod::NumberOfTags(count)),
        (MethodName::NumberOfTags, _) => Err(ApiRefusal::invalid_request(
            "the field `value` of the body is not right: for `number_of_tags` it is how many tags remain, from 1",
        )),
        (MethodName::CreationDate, MethodValue::Age(age)) => match age.parse() {
            Ok(age) => Ok(PruneMethod::CreationDate(age)),
            Err(error) => {
                Err(ApiRefusal::invalid_request(format!("the field `value` of the body is not right: {error}")))
            }
        },
        (MethodName::CreationDate, MethodValue::Count(_)) => Err(ApiRefusal::invalid_request(
            "the field `value` of the body is not right: for `creation_date` it is an age such as \"7d\"",
        )),
    }
}

fn pattern(regex: Option<&str>, matches: Option<bool>) -> Result<Option<Pattern>, ApiRefusal> {
    match (regex, matches) {
        (Some(regex), matches) => {
            Ok(Some(Pattern { regex: regex.trim().to_owned(), matches: matches.unwrap_or(true) }))
        }
        (None, None | Some(true)) => Ok(None),
        (None, Some(false)) => Err(ApiRefusal::invalid_request(
            "`tagPatternMatches` is false and there is no `tagPattern` that a tag could fail to match",
        )),
    }
}

impl TryFrom<NewPrunePolicy> for NewPolicy {
    type Error = ApiRefusal;

    fn try_from(body: NewPrunePolicy) -> Result<Self, ApiRefusal> {
        let pattern = pattern(body.tag_pattern.as_deref(), body.tag_pattern_matches)?;
        let rule = Rule::Prune { method: method(body.method, body.value)?, pattern };
        Ok(Self { rule, draft: body.active == Some(false) })
    }
}

/// GET `<scope>/autoprunepolicy/`
#[utoipa::path(
    get,
    path = "/api/v1/{prune_scope}/autoprunepolicy/",
    operation_id = "list_prune_policies",
    tag = "policies",
    summary = "The prune policies of this scope itself, the oldest first",
    params(
        ("n" = Option<usize>, Query, minimum = 1, description = "The most policies of an answer"),
        ("next" = Option<String>, Query, description = "The `next` of the answer before"),
        ("retired" = Option<bool>, Query, description = "`true` lists those that were retired instead"),
    ),
    responses(
        (status = 200, description = "The policies", body = PolicyList<PrunePolicy>),
        (status = 400, description = "`invalid_request`: the scope, `n`, `next` or `retired` is not right"),
    ),
)]
pub(in crate::http::api) async fn list(exchange: &Exchange<'_>, scope: ScopePath<'_>) -> ApiAnswer {
    Scoped::read(Kind::Prune, scope)?.list(exchange).await
}

/// POST `<scope>/autoprunepolicy/`
#[utoipa::path(
    post,
    path = "/api/v1/{prune_scope}/autoprunepolicy/",
    operation_id = "create_prune_policy",
    tag = "policies",
    summary = "Create a prune policy, in force at once or as a draft",
    request_body = NewPrunePolicy,
    responses(
        (status = 201, description = "The policy is there; the next run of it prunes", body = PolicyCreated),
        (status = 400, description = "`invalid_request`: the method, value or pattern is not right, or a policy of the scope demands \
                                      the same already; `policy_conflict`: all that it selects is immutable"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn create(exchange: &Exchange<'_>, scope: ScopePath<'_>, payload: Payload) -> ApiAnswer {
    let policies = Scoped::written(Kind::Prune, scope)?;
    let body: NewPrunePolicy = json::read(exchange, payload).await?;
    policies.create(exchange, body.try_into()?).await
}

/// GET `<scope>/autoprunepolicy/<uuid>`
#[utoipa::path(
    get,
    path = "/api/v1/{prune_scope}/autoprunepolicy/{uuid}",
    operation_id = "get_prune_policy",
    tag = "policies",
    summary = "A prune policy; one that was retired can still be read",
    responses(
        (status = 200, description = "The policy", body = PrunePolicy),
        (status = 404, description = "`not_found`: the scope has no such policy"),
    ),
)]
pub(in crate::http::api) async fn get(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::read(Kind::Prune, scope)?.get(exchange, id).await
}

/// PUT `<scope>/autoprunepolicy/<uuid>`
#[utoipa::path(
    put,
    path = "/api/v1/{prune_scope}/autoprunepolicy/{uuid}",
    operation_id = "change_prune_policy",
    tag = "policies",
    summary = "Change what a prune policy demands; a draft stays one",
    request_body = ChangedPrunePolicy,
    responses(
        (status = 204, description = "It demands this now; nothing is written if it did before"),
        (status = 400, description = "`invalid_request`: the method, value or pattern is not right, or another policy of the scope \
                                      demands the same already; `policy_conflict`: all that it selects is immutable"),
        (status = 404, description = "`not_found`: the scope has no such policy, or it was retired"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn change(
    exchange: &Exchange<'_>,
    scope: ScopePath<'_>,
    id: &str,
    payload: Payload,
) -> ApiAnswer {
    let policies = Scoped::written(Kind::Prune, scope)?;
    let id = policies.known(exchange, id)?;
    let body: ChangedPrunePolicy = json::read(exchange, payload).await?;
    own_id(id, body.uuid.as_deref())?;
    let pattern = pattern(body.tag_pattern.as_deref(), body.tag_pattern_matches)?;
    policies.change(exchange, id, Rule::Prune { method: method(body.method, body.value)?, pattern }).await
}

/// DELETE `<scope>/autoprunepolicy/<uuid>`
#[utoipa::path(
    delete,
    path = "/api/v1/{prune_scope}/autoprunepolicy/{uuid}",
    operation_id = "delete_prune_policy",
    tag = "policies",
    summary = "Remove a draft, or retire a prune policy that is in force",
    responses(
        (status = 200, description = "It prunes nothing any more", body = PolicyDeleted),
        (status = 404, description = "`not_found`: the scope has no such policy, or it was retired before"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn delete(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::written(Kind::Prune, scope)?.remove(exchange, id).await
}

/// POST `<scope>/autoprunepolicy/<uuid>/activate`
#[utoipa::path(
    post,
    path = "/api/v1/{prune_scope}/autoprunepolicy/{uuid}/activate",
    operation_id = "activate_prune_policy",
    tag = "policies",
    summary = "Put a draft into force",
    responses(
        (status = 200, description = "The policy; the next run of it prunes", body = PrunePolicy),
        (status = 400, description = "`policy_conflict`: all that it selects is immutable"),
        (status = 404, description = "`not_found`: the scope has no such policy"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
        (status = 409, description = "`policy_not_draft`: it is active already, or retired"),
    ),
)]
pub(in crate::http::api) async fn activate(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::written(Kind::Prune, scope)?.activate(exchange, id).await
}
