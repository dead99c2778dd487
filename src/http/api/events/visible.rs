//! Who may see what happened.

use std::sync::Arc;

use tagstone_replay::audit::{AuditEvent, EventForm, What};
use tagstone_schema::event::Action;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Event, RepositoryName};

use crate::access::{Caller, Gate, IssuedTokens};
use crate::http::exchange::Exchange;
use crate::registry::{Clock, Published};

/// A client, as far as it matters for what it may see.
///
/// An event about one repository is for whoever may pull from it. All others are for administrators: policies above repositories,
/// tokens, what was collected, and what was refused, which names whatever somebody has tried.
///
/// **Invariant**: no event reaches a client around this; lists, the stream and Quay's logs all ask here.
#[derive(Clone)]
pub(in crate::http::api) struct Viewer {
    caller: Caller,
    lets_in: LetsIn,
}

/// What decides whether somebody would be let in.
#[derive(Clone)]
struct LetsIn {
    gate: Gate,
    published: Published,
    clock: Arc<dyn Clock>,
}

impl Viewer {
    /// Whoever has sent a request.
    pub(in crate::http::api) fn of(exchange: &Exchange<'_>) -> Self {
        let site = exchange.site;
        let lets_in = LetsIn { gate: site.gate.clone(), published: site.published.clone(), clock: site.clock.clone() };
        Self { caller: exchange.caller.clone(), lets_in }
    }

    /// The client as it would be let in now, for what goes on after its request was. None if it would not be.
    pub(in crate::http::api) fn renewed(&self) -> Option<Self> {
        let LetsIn { gate, published, clock } = &self.lets_in;
        let snapshot = published.load();
        let caller = gate.renewed(&self.caller, IssuedTokens::new(&snapshot.state, clock.now()))?;
        Some(Self { caller, lets_in: self.lets_in.clone() })
    }

    /// Whether the client may see an event at all.
    pub(in crate::http::api) fn sees(&self, event: &AuditEvent<'_>) -> bool {
        self.caller.sees_everything() || repository_of(event).is_some_and(|repository| self.may_pull(repository))
    }

    /// The event as the client may see it.
    pub(in crate::http::api) fn form<'a>(&self, event: &AuditEvent<'a>) -> Option<EventForm<'a>> {
        let mut form = self.sees(event).then(|| EventForm::from(event))?;
        // That a blob came from there tells that there is such a repository, and what it holds.
        form.fields.mounted_from = form.fields.mounted_from.filter(|repository| self.may_pull(repository));
        Some(form)
    }

    fn may_pull(&self, repository: &RepositoryName) -> bool {
        self.caller.may(Action::Pull, repository.as_str())
    }
}

/// The one repository that an event is about.
fn repository_of<'a>(event: &AuditEvent<'a>) -> Option<&'a RepositoryName> {
    let (written, scope) = match event.what {
        What::TagEnded(end) => return Some(end.repository),
        What::Written { event, scope, .. } => (event, scope),
    };
    match written {
        Event::BlobLinked { repository, .. }
        | Event::BlobUnlinked { repository, .. }
        | Event::ManifestPushed { repository, .. }
        | Event::ManifestDeleted { repository, .. }
        | Event::TagMoved { repository, .. }
        | Event::TagsDeleted { repository, .. }
        | Event::TagErased { repository, .. }
        | Event::TagLocked { repository, .. }
        | Event::TagUnlocked { repository, .. }
        | Event::TagExpirySet { repository, .. }
        | Event::RepositoryDeleted { repository }
        | Event::ContentPurged { repository, .. } => Some(repository),
        Event::PolicyDrafted { .. }
        | Event::PolicyActivated { .. }
        | Event::PolicyChanged { .. }
        | Event::PolicyRetired { .. }
        | Event::DraftRemoved { .. } => match scope {
            Some(Scope::Repository(repository)) => Some(repository),
            Some(Scope::Registry | Scope::Namespace(_)) | None => None,
        },
        Event::ContentCollected { .. }
        | Event::TokenIssued { .. }
        | Event::TokenRevoked { .. }
        | Event::AttemptsRefused { .. }
        | Event::LogStarted { .. }
        | Event::ServerStarted { .. } => None,
    }
}
