//! Immutability policies, of the registry, a namespace or a repository.

use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::policy::{Pattern, Rule};
use utoipa::ToSchema;

use super::super::route::ScopePath;
use super::super::{ApiAnswer, json};
use super::form::Life;
use super::form::{PolicyCreated, PolicyDeleted, PolicyList};
use super::own_id;
use super::scoped::{Kind, NewPolicy, Scoped};
use crate::http::exchange::Exchange;

/// A policy of immutability.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImmutabilityPolicy {
    #[serde(flatten)]
    life: Life,
    /// A regular expression, always matched against the full name of a tag.
    #[schema(example = "v[0-9]+\\..*")]
    tag_pattern: String,
    /// Whether the names that match are immutable, or those that do not.
    tag_pattern_matches: bool,
    /// Whether tags that exist for referrers (`sha256-<hex>` with `.sig`, `.att`, `.sbom` or nothing) are immutable too.
    include_referrer_tags: bool,
}

impl ImmutabilityPolicy {
    pub(super) fn new(life: Life, pattern: &Pattern, include_referrer_tags: bool) -> Self {
        let (tag_pattern, tag_pattern_matches) = (pattern.regex.clone(), pattern.matches);
        Self { life, tag_pattern, tag_pattern_matches, include_referrer_tags }
    }
}

/// A policy of immutability that is to be created, or previewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewImmutabilityPolicy {
    /// A regular expression in the syntax of the `regex` crate, of at most 256 characters, always matched against the
    /// full name of a tag. White space around it is cut off.
    #[schema(example = "v[0-9]+\\..*")]
    tag_pattern: String,
    /// Whether the names that match are to be immutable, or those that do not.
    #[schema(default = true)]
    tag_pattern_matches: Option<bool>,
    /// Whether tags that exist for referrers (`sha256-<hex>` with `.sig`, `.att`, `.sbom` or nothing) are to be
    /// immutable too; without it an immutable image can still be signed under such tags.
    #[schema(default = false)]
    include_referrer_tags: Option<bool>,
    /// `false` makes a draft, which protects nothing until it is activated.
    #[schema(default = true)]
    active: Option<bool>,
}

/// What a policy of immutability is to demand instead. What is left out becomes its default, not what it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ChangedImmutabilityPolicy {
    /// As in the path; scripts that send the policy back may leave it in.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    uuid: Option<String>,
    /// A regular expression, as at the creation.
    #[schema(example = "v[0-9]+\\..*")]
    tag_pattern: String,
    /// Whether the names that match are to be immutable, or those that do not.
    #[schema(default = true)]
    tag_pattern_matches: Option<bool>,
    /// Whether tags that exist for referrers are to be immutable too.
    #[schema(default = false)]
    include_referrer_tags: Option<bool>,
}

impl From<NewImmutabilityPolicy> for NewPolicy {
    fn from(body: NewImmutabilityPolicy) -> Self {
        let NewImmutabilityPolicy { tag_pattern, tag_pattern_matches, include_referrer_tags, active } = body;
        let rule = rule(&tag_pattern, tag_pattern_matches, include_referrer_tags);
        Self { rule, draft: active == Some(false) }
    }
}

fn rule(tag_pattern: &str, tag_pattern_matches: Option<bool>, include_referrer_tags: Option<bool>) -> Rule {
    Rule::Immutability {
        pattern: Pattern { regex: tag_pattern.trim().to_owned(), matches: tag_pattern_matches.unwrap_or(true) },
        include_referrer_tags: include_referrer_tags.unwrap_or(false),
    }
}

/// GET `<scope>/immutabilitypolicy/`
#[utoipa::path(
    get,
    path = "/api/v1/{scope}/immutabilitypolicy/",
    operation_id = "list_immutability_policies",
    tag = "policies",
    summary = "The immutability policies of this scope itself, the oldest first",
    params(
        ("n" = Option<usize>, Query, minimum = 1, description = "The most policies of an answer"),
        ("next" = Option<String>, Query, description = "The `next` of the answer before"),
        ("retired" = Option<bool>, Query, description = "`true` lists those that were retired instead"),
    ),
    responses(
        (status = 200, description = "The policies", body = PolicyList<ImmutabilityPolicy>),
        (status = 400, description = "`invalid_request`: the scope, `n`, `next` or `retired` is not right"),
    ),
)]
pub(in crate::http::api) async fn list(exchange: &Exchange<'_>, scope: ScopePath<'_>) -> ApiAnswer {
    Scoped::read(Kind::Immutability, scope)?.list(exchange).await
}

/// POST `<scope>/immutabilitypolicy/`
#[utoipa::path(
    post,
    path = "/api/v1/{scope}/immutabilitypolicy/",
    operation_id = "create_immutability_policy",
    tag = "policies",
    summary = "Create an immutability policy, in force at once or as a draft",
    request_body = NewImmutabilityPolicy,
    responses(
        (status = 201, description = "The policy is there; unless it is a draft, all that it selects is immutable", body = PolicyCreated),
        (status = 400, description = "`invalid_request`: the pattern is not right, or a policy of the scope has it already; \
                                      `policy_conflict`: with others it would protect every tag there can be"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn create(exchange: &Exchange<'_>, scope: ScopePath<'_>, payload: Payload) -> ApiAnswer {
    let policies = Scoped::written(Kind::Immutability, scope)?;
    let body: NewImmutabilityPolicy = json::read(exchange, payload).await?;
    policies.create(exchange, body.into()).await
}

/// GET `<scope>/immutabilitypolicy/<uuid>`
#[utoipa::path(
    get,
    path = "/api/v1/{scope}/immutabilitypolicy/{uuid}",
    operation_id = "get_immutability_policy",
    tag = "policies",
    summary = "An immutability policy; one that was retired can still be read",
    responses(
        (status = 200, description = "The policy", body = ImmutabilityPolicy),
        (status = 404, description = "`not_found`: the scope has no such policy"),
    ),
)]
pub(in crate::http::api) async fn get(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::read(Kind::Immutability, scope)?.get(exchange, id).await
}

/// PUT `<scope>/immutabilitypolicy/<uuid>`
#[utoipa::path(
    put,
    path = "/api/v1/{scope}/immutabilitypolicy/{uuid}",
    operation_id = "change_immutability_policy",
    tag = "policies",
    summary = "Change what an immutability policy demands; a draft stays one",
    request_body = ChangedImmutabilityPolicy,
    responses(
        (status = 204, description = "It demands this now; nothing is written if it did before"),
        (status = 400, description = "`invalid_request`: the pattern is not right, or another policy of the scope has it already; \
                                      `policy_conflict`: with others it would protect every tag there can be"),
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
    let policies = Scoped::written(Kind::Immutability, scope)?;
    let id = policies.known(exchange, id)?;
    let body: ChangedImmutabilityPolicy = json::read(exchange, payload).await?;
    own_id(id, body.uuid.as_deref())?;
    let rule = rule(&body.tag_pattern, body.tag_pattern_matches, body.include_referrer_tags);
    policies.change(exchange, id, rule).await
}

/// DELETE `<scope>/immutabilitypolicy/<uuid>`
#[utoipa::path(
    delete,
    path = "/api/v1/{scope}/immutabilitypolicy/{uuid}",
    operation_id = "delete_immutability_policy",
    tag = "policies",
    summary = "Remove a draft, or retire an immutability policy that is in force",
    responses(
        (status = 200, description = "It protects nothing any more; names that it has protected stay spent", body = PolicyDeleted),
        (status = 404, description = "`not_found`: the scope has no such policy, or it was retired before"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn delete(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::written(Kind::Immutability, scope)?.remove(exchange, id).await
}

/// POST `<scope>/immutabilitypolicy/<uuid>/activate`
#[utoipa::path(
    post,
    path = "/api/v1/{scope}/immutabilitypolicy/{uuid}/activate",
    operation_id = "activate_immutability_policy",
    tag = "policies",
    summary = "Put a draft into force",
    responses(
        (status = 200, description = "The policy; all that it selects is immutable", body = ImmutabilityPolicy),
        (status = 400, description = "`policy_conflict`: with others it would protect every tag there can be"),
        (status = 404, description = "`not_found`: the scope has no such policy"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
        (status = 409, description = "`policy_not_draft`: it is active already, or retired"),
    ),
)]
pub(in crate::http::api) async fn activate(exchange: &Exchange<'_>, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    Scoped::written(Kind::Immutability, scope)?.activate(exchange, id).await
}
