//! What an immutability policy would do, before anybody is bound by it.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::Serialize;
use tagstone_replay::fold::Demand;
use tagstone_replay::pattern::Selector;
use tagstone_schema::policy::Rule;
use utoipa::ToSchema;

use super::super::error::{ApiRefusal, ErrorType};
use super::super::route::ScopePath;
use super::super::{ApiAnswer, json};
use super::immutability::NewImmutabilityPolicy;
use super::judged::Judged;
use super::scoped::{Kind, NewPolicy, Scoped};
use crate::http::exchange::Exchange;
use crate::registry::{Rejection, judge_policy};

/// How many tags are shown of those that would become immutable: enough to see what a pattern selects.
const SAMPLE: usize = 20;

/// What a policy would do if it were in force. Tags that have expired are not counted.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyPreview {
    /// How many tags there are in the scope, whether the policy selects them or not.
    tags_in_scope: usize,
    /// How many of them would become immutable.
    newly_protected: usize,
    /// How many of them are immutable already, whether the policy selects them or not.
    already_protected: usize,
    /// The first of those that would become immutable, by repository and name; at most 20.
    sample: Vec<SampledTag>,
    /// Why the policy could not be activated now; empty if it could.
    conflicts: Vec<String>,
}

/// A tag that would become immutable.
#[derive(Serialize, ToSchema)]
struct SampledTag {
    /// Its repository.
    repository: String,
    /// Its name.
    tag: String,
    /// Where it would stay.
    digest: String,
}

/// POST `<scope>/immutabilitypolicy/preview`
#[utoipa::path(
    post,
    path = "/api/v1/{scope}/immutabilitypolicy/preview",
    operation_id = "preview_immutability_policy",
    tag = "policies",
    summary = "What an immutability policy would protect, and what stands in its way; nothing is written",
    request_body = NewImmutabilityPolicy,
    responses(
        (status = 200, description = "What the policy would do, as the registry stands now", body = PolicyPreview),
        (status = 400, description = "`invalid_request`: the pattern is not right"),
        (status = 405, description = "`method_not_allowed`: the scope shows the past"),
    ),
)]
pub(in crate::http::api) async fn preview(exchange: &Exchange<'_>, path: ScopePath<'_>, payload: Payload) -> ApiAnswer {
    let policies = Scoped::written(Kind::Immutability, path)?;
    let body: NewImmutabilityPolicy = json::read(exchange, payload).await?;
    let NewPolicy { rule, draft: _ } = body.into();
    let Rule::Immutability { pattern, include_referrer_tags } = &rule else {
        return Err(ApiRefusal::new(ErrorType::InternalError, "the policy is not one of immutability"));
    };
    let selector = Selector::new(pattern).map_err(Rejection::from)?;
    let demand = Demand { selector, include_referrer_tags: *include_referrer_tags };
    let (scope, now) = (policies.scope().clone(), exchange.now());
    let snapshot = exchange.site.published.snapshot();
    let answer = move || {
        let state = &snapshot.state;
        let Judged { conflicts, .. } = judge_policy(state, None, &scope, &rule, Some(&demand.selector)).into();
        let found = state.preview(&scope, &demand, now, SAMPLE);
        let sampled = found.sample.into_iter().map(|(repository, tag, digest)| SampledTag {
            repository: repository.to_string(),
            tag: tag.to_string(),
            digest: digest.to_string(),
        });
        PolicyPreview {
            tags_in_scope: found.tags_in_scope,
            newly_protected: found.newly_protected,
            already_protected: found.already_protected,
            sample: sampled.collect(),
            conflicts,
        }
    };
    Ok(HttpResponse::Ok().json(exchange.site.questions.ask(answer).await?))
}
