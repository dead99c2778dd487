//! Running a prune policy now.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::Id;
use tagstone_schema::policy::Scope;
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};
use super::json;
use super::route::ScopePath;
use crate::http::exchange::{Exchange, writable};
use crate::random_id::random_id;
use crate::registry::{Listed, Order, PrunedTag, Report, RunError, SkippedTag, Way};

/// Tags of each kind that an answer lists, some ten megabytes of it; the others are counted. Those that were deleted
/// all stand in the records of the run.
const LISTED: usize = 100_000;

/// How a policy is to be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PruneRunOrder {
    /// Whether nothing is to be deleted, only told.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What a run has done, or what a dry run would do.
#[derive(Serialize, ToSchema)]
pub(super) struct PruneRunReport {
    /// The run, which is named as the cause of what it has deleted.
    run: String,
    /// How many tags the policy's pattern selects, immutable ones too. Tags for referrers are not counted.
    considered: u64,
    /// The deleted tags.
    deleted: Vec<DeletedTag>,
    /// How many more were deleted than are listed.
    #[serde(skip_serializing_if = "is_none")]
    deleted_more: u64,
    /// Tags that were not deleted although the policy selects them, or because something changed while the run was under
    /// way.
    skipped: Vec<SkippedTagForm>,
    /// How many more were skipped than are listed.
    #[serde(skip_serializing_if = "is_none")]
    skipped_more: u64,
    /// The last record that the run wrote; null if there was nothing to delete, and for a dry run.
    seq: Option<u64>,
    /// Why the run ended before all was done, if it did: the policy was changed or retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
}

/// A tag that was deleted.
#[derive(Serialize, ToSchema)]
struct DeletedTag {
    /// Where; only for the policy of a namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    tag: String,
    /// Where it pointed.
    digest: String,
}

/// A tag that was not deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = SkippedTag)]
struct SkippedTagForm {
    /// Where; only for the policy of a namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    tag: String,
    /// `immutable`: it is protected; `moved`, `gone`: meanwhile; `subject_tagged`: it belongs to a manifest that has got a
    /// tag meanwhile.
    reason: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// POST `<scope>/autoprunepolicy/<id>/run`
#[utoipa::path(
    post,
    path = "/api/v1/{prune_scope}/autoprunepolicy/{uuid}/run",
    operation_id = "run_prune_policy",
    tag = "prune policies",
    summary = "Run a prune policy now, or tell what a run would delete",
    request_body(content = Option<PruneRunOrder>, description = "No body is a run that deletes"),
    responses(
        (status = 200, description = "What the run has done. Immutable tags are skipped, and never let a run fail", body = PruneRunReport),
        (status = 404, description = "`not_found`: there is no such policy here, or it was retired"),
        (status = 409, description = "`policy_not_active`: the policy is a draft, which only a dry run can be of; \
                                      `run_under_way`: it is being run; `policy_changed`: it was changed before \
                                      anything was deleted"),
    ),
)]
pub(super) async fn run(exchange: &Exchange<'_>, payload: Payload, scope: ScopePath<'_>, id: &str) -> ApiAnswer {
    let scope = written(scope)?;
    let order: PruneRunOrder = json::read(exchange, payload).await?;
    let policy = known(exchange, &scope, id)?;
    let run = random_id().map_err(|error| {
        tracing::error!(%error, "no id can be drawn for a prune run");
        ApiRefusal::new(ErrorType::InternalError, "no id can be drawn for the run; nothing was deleted")
    })?;
    let way = if order.dry_run == Some(true) { Way::Dry } else { Way::Delete };
    let order = Order { policy, way, actor: exchange.actor(), origin: exchange.origin() };
    let pruner = exchange.site.pruner.clone();
    // A client that goes away does not end the run.
    let metrics = exchange.site.metrics.clone();
    let running = tokio::task::spawn_blocking(move || {
        let mut report = Report::new(run, LISTED);
        let ended = pruner.run(&order, &mut report);
        if way == Way::Delete && !matches!(ended, Err(RunError::UnderWay { .. } | RunError::Draft { .. })) {
            metrics.prune_run(&report);
        }
        ended.map(|()| report)
    });
    let report = running.await.map_err(|error| {
        tracing::error!(%error, %policy, "a prune run ended by a panic");
        ApiRefusal::new(ErrorType::InternalError, "the run broke off; what it has deleted stands in the log")
    })??;
    Ok(HttpResponse::Ok().json(PruneRunReport::new(report, &scope)))
}

impl PruneRunReport {
    fn new(report: Report, scope: &Scope) -> Self {
        let place = |repository: &tagstone_schema::RepositoryName| match scope {
            Scope::Repository(_) => None,
            Scope::Registry | Scope::Namespace(_) => Some(repository.to_string()),
        };
        let deleted = |one: &PrunedTag| DeletedTag {
            repository: place(&one.repository),
            tag: one.tag.to_string(),
            digest: one.digest.to_string(),
        };
        let skipped = |one: &SkippedTag| SkippedTagForm {
            repository: place(&one.repository),
            tag: one.tag.to_string(),
            reason: one.why.code(),
        };
        Self {
            run: report.run.to_string(),
            considered: report.considered,
            deleted_more: report.deleted.more(),
            deleted: listed(&report.deleted, deleted),
            skipped_more: report.skipped.more(),
            skipped: listed(&report.skipped, skipped),
            seq: report.seq,
            incomplete: report.incomplete,
        }
    }
}

fn listed<T, F>(list: &Listed<T>, form: impl Fn(&T) -> F) -> Vec<F> {
    list.entries.iter().map(form).collect()
}

/// The scope of a path, whose tags may be deleted.
fn written(path: ScopePath<'_>) -> Result<Scope, ApiRefusal> {
    Ok(match path {
        ScopePath::Registry => Scope::Registry,
        ScopePath::Organization(namespace) => Scope::Namespace(namespace.parse()?),
        ScopePath::Repository(name) => Scope::Repository(writable(name)?),
    })
}

/// A policy, found under the path of its own scope. Whether it is one that prunes is for the run to find out.
fn known(exchange: &Exchange<'_>, scope: &Scope, id: &str) -> Result<Id, ApiRefusal> {
    let id: Id = id.parse().map_err(|error| ApiRefusal::not_found(format!("there is no such policy: {error}")))?;
    let snapshot = exchange.site.published.load();
    match snapshot.state.policy(&id).filter(|policy| policy.scope == *scope) {
        Some(_) => Ok(id),
        None => Err(ApiRefusal::not_found(format!("there is no prune policy {id} here"))),
    }
}

impl From<RunError> for ApiRefusal {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::Write(error) => error.into(),
            RunError::Draft { .. } => Self::new(ErrorType::PolicyNotActive, message),
            RunError::UnderWay { .. } => Self::new(ErrorType::RunUnderWay, message),
        }
    }
}
