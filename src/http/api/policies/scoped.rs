//! The policies of one kind and one scope, and what can be done with them.

use std::fmt;

use actix_web::HttpResponse;
use tagstone_replay::fold::{Policy, PolicyStatus, State};
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Id, Seq};

use super::super::ApiAnswer;
use super::super::error::{ApiRefusal, ErrorType};
use super::super::page::ApiPage;
use super::super::route::ScopePath;
use super::form::{PolicyCreated, PolicyDeleted, PolicyForm, PolicyList};
use super::judged::{Judged, conflicts_of_drafts, judged};
use crate::http::error::Refusal;
use crate::http::exchange::Exchange;
use crate::http::query::Query;
use crate::random_id::random_id;
use crate::registry::{Command, CreatePolicy};

/// A kind of policies; each has resources of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Immutability,
    Prune,
}

/// A policy that is to be created.
pub(super) struct NewPolicy {
    pub(super) rule: Rule,
    pub(super) draft: bool,
}

/// The policies of one kind and scope. A policy of another is not to be found here, whatever its id.
pub(super) struct Scoped {
    kind: Kind,
    scope: Scope,
}

impl Scoped {
    /// The policies of a scope, to be read.
    pub(super) fn read(kind: Kind, path: ScopePath<'_>) -> Result<Self, ApiRefusal> {
        let scope = scope(path)?;
        match past(&scope) {
            Some(name) => Err(ApiRefusal::not_found(format!("{name} shows the past and has no policies of its own"))),
            None => Ok(Self { kind, scope }),
        }
    }

    /// The policies of a scope, to be changed or asked about; the past has none that could be.
    pub(super) fn written(kind: Kind, path: ScopePath<'_>) -> Result<Self, ApiRefusal> {
        let scope = scope(path)?;
        if let Some(name) = past(&scope) {
            let mut refusal = Refusal::method("GET, HEAD");
            refusal.message = format!("{name} shows the past, which cannot be changed and can have no policies");
            return Err(refusal.into());
        }
        Ok(Self { kind, scope })
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A page of them, the oldest first: those that are not retired, or with `retired=true` those that are.
    pub(super) async fn list(&self, exchange: &Exchange<'_>) -> ApiAnswer {
        let query = exchange.query();
        let page = ApiPage::of(&query, exchange.site.limits.page_entries)?;
        let after = page.after().map(Place::parse).transpose()?;
        let wanted = Wanted::of(&query)?;
        let snapshot = exchange.site.published.snapshot();
        let mut places: Vec<_> = snapshot
            .state
            .policies()
            .filter(|(_, policy)| self.holds(policy) && wanted.includes(policy))
            .map(|(id, policy)| Place { created: policy.created.seq, id: *id })
            .filter(|place| after.as_ref().is_none_or(|after| place > after))
            .collect();
        places.sort_unstable();
        let (entries, next) = page.take(places.into_iter(), Place::to_string);
        let ids: Vec<_> = entries.iter().map(|place| place.id).collect();
        let mut judged = conflicts_of_drafts(exchange, &snapshot, &ids).await?;
        let form = |id: &Id| {
            let conflicts = judged.remove(id).unwrap_or_default().conflicts;
            Some(PolicyForm::new(*id, snapshot.state.policy(id)?, Judged { conflicts, ..Judged::default() }))
        };
        let policies = ids.iter().filter_map(form).collect();
        Ok(HttpResponse::Ok().json(PolicyList { policies, next }))
    }

    /// One of them; retired ones can be read too.
    pub(super) async fn get(&self, exchange: &Exchange<'_>, id: &str) -> ApiAnswer {
        let snapshot = exchange.site.published.snapshot();
        let (id, policy) = self.find(&snapshot.state, id)?;
        let judged = conflicts_of_drafts(exchange, &snapshot, &[id]).await?.remove(&id).unwrap_or_default();
        let judged = Judged { warnings: Vec::new(), ..judged };
        Ok(HttpResponse::Ok().json(PolicyForm::new(id, policy, judged)))
    }

    /// Adds one.
    pub(super) async fn create(&self, exchange: &Exchange<'_>, new: NewPolicy) -> ApiAnswer {
        let id = random_id().map_err(|error| {
            tracing::error!(%error, "no id can be drawn for a policy");
            ApiRefusal::new(ErrorType::InternalError, "no id can be drawn for the policy; nothing was changed")
        })?;
        let NewPolicy { rule, draft } = new;
        let create = CreatePolicy { policy: id, scope: self.scope.clone(), rule, draft };
        exchange.commit(Command::CreatePolicy(Box::new(create))).await?;
        // The policy stands, whatever becomes of the rest.
        let snapshot = exchange.site.published.snapshot();
        let all = judged(exchange, &snapshot, vec![id]).await;
        let judged = all.ok().and_then(|mut all| all.remove(&id)).unwrap_or_default();
        let warning = judged.warning();
        let conflicts = if draft { judged.conflicts } else { Vec::new() };
        Ok(HttpResponse::Created().json(PolicyCreated { uuid: id.to_string(), warning, conflicts }))
    }

    /// Gives one of them another rule.
    pub(super) async fn change(&self, exchange: &Exchange<'_>, id: Id, rule: Rule) -> ApiAnswer {
        exchange.commit(Command::ChangePolicy { policy: id, rule }).await?;
        Ok(HttpResponse::NoContent().finish())
    }

    /// Removes a draft, or retires an active one.
    pub(super) async fn remove(&self, exchange: &Exchange<'_>, id: &str) -> ApiAnswer {
        let id = self.known(exchange, id)?;
        exchange.commit(Command::RemovePolicy { policy: id }).await?;
        Ok(HttpResponse::Ok().json(PolicyDeleted { uuid: id.to_string() }))
    }

    /// Lets a draft hold, and answers it.
    pub(super) async fn activate(&self, exchange: &Exchange<'_>, id: &str) -> ApiAnswer {
        let id = self.known(exchange, id)?;
        exchange.commit(Command::ActivatePolicy { policy: id }).await?;
        // The policy holds, whatever becomes of the rest.
        let snapshot = exchange.site.published.snapshot();
        let all = judged(exchange, &snapshot, vec![id]).await;
        let judged = all.ok().and_then(|mut all| all.remove(&id)).unwrap_or_default();
        let (_, policy) = self.find(&snapshot.state, &id.to_string())?;
        Ok(HttpResponse::Ok().json(PolicyForm::new(id, policy, Judged { conflicts: Vec::new(), ..judged })))
    }

    /// The id of one of them. That a policy is one of them never changes, so it can be said before anything is committed.
    pub(super) fn known(&self, exchange: &Exchange<'_>, id: &str) -> Result<Id, ApiRefusal> {
        Ok(self.find(&exchange.site.published.load().state, id)?.0)
    }

    fn find<'a>(&self, state: &'a State, text: &str) -> Result<(Id, &'a Policy), ApiRefusal> {
        let id: Id =
            text.parse().map_err(|error| ApiRefusal::not_found(format!("there is no such policy: {error}")))?;
        let found = state.policy(&id).filter(|policy| self.holds(policy));
        found.map(|policy| (id, policy)).ok_or_else(|| {
            ApiRefusal::not_found(format!("there is no policy {id} here; its path has to name its own kind and scope"))
        })
    }

    fn holds(&self, policy: &Policy) -> bool {
        let kind = match policy.rule {
            Rule::Immutability { .. } => Kind::Immutability,
            Rule::Prune { .. } => Kind::Prune,
        };
        kind == self.kind && policy.scope == self.scope
    }
}

fn scope(path: ScopePath<'_>) -> Result<Scope, ApiRefusal> {
    Ok(match path {
        ScopePath::Registry => Scope::Registry,
        ScopePath::Organization(namespace) => Scope::Namespace(namespace.parse()?),
        ScopePath::Repository(name) => Scope::Repository(name.parse()?),
    })
}

/// The name of the scope, if it is reserved for the past.
fn past(scope: &Scope) -> Option<&str> {
    match scope {
        Scope::Registry => None,
        Scope::Namespace(namespace) => namespace.is_reserved().then(|| namespace.as_str()),
        Scope::Repository(repository) => repository.is_reserved().then(|| repository.as_str()),
    }
}

/// Which policies are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Standing,
    Retired,
}

impl Wanted {
    fn includes(self, policy: &Policy) -> bool {
        (policy.status == PolicyStatus::Retired) == (self == Self::Retired)
    }

    fn of(query: &Query<'_>) -> Result<Self, ApiRefusal> {
        match query.one("retired")?.as_deref() {
            None | Some("false") => Ok(Self::Standing),
            Some("true") => Ok(Self::Retired),
            Some(other) => Err(ApiRefusal::invalid_request(format!("`retired={other}` is neither true nor false"))),
        }
    }
}

/// The place of a policy in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    created: Seq,
    id: Id,
}

impl Place {
    fn parse(text: &str) -> Result<Self, ApiRefusal> {
        let parts = text.split_once('/').and_then(|(seq, id)| Some((seq.parse().ok()?, id.parse().ok()?)));
        let foreign =
            || ApiRefusal::invalid_request("`next` is not from a list of policies; give back what stood there");
        parts.map(|(created, id)| Self { created, id }).ok_or_else(foreign)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.created, self.id)
    }
}
