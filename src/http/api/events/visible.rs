//! Who may see what happened.

use tagstone_replay::audit::{AuditEvent, EventForm};

use crate::http::exchange::Exchange;

/// A client, as far as it matters for what it may see.
///
/// **Invariant**: no event reaches a client around this; lists, the stream and Quay's logs all ask here. Today there are no access
/// rules, and everybody sees everything. Where there are, an event about a repository is for those who may pull it, and one
/// about several is shown with those parts alone.
#[derive(Clone, Debug)]
pub(in crate::http::api) struct Viewer;

impl Viewer {
    /// Whoever has sent a request.
    pub(in crate::http::api) fn of(_exchange: &Exchange<'_>) -> Self {
        Self
    }

    /// Whether the client may see an event at all.
    pub(in crate::http::api) fn sees(&self, _event: &AuditEvent<'_>) -> bool {
        true
    }

    /// The event as the client may see it.
    pub(in crate::http::api) fn form<'a>(&self, event: &AuditEvent<'a>) -> Option<EventForm<'a>> {
        self.sees(event).then(|| EventForm::from(event))
    }
}
