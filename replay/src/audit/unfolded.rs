//! A record with all that happened in it.

use tagstone_schema::{Event, Record};

use super::{AuditEvent, Derived, TagEnd, What};
use crate::fold::{EndCause, IllegalEvent, State};

/// A record, and what the fold adds to its events.
#[derive(Clone, Debug)]
pub struct Unfolded {
    /// The record.
    pub record: Record,
    /// What the state before it adds.
    pub derived: Derived,
}

impl Unfolded {
    /// Applies a record to the state before it, and keeps what only that state could tell.
    pub fn apply(state: &mut State, record: Record) -> Result<Self, IllegalEvent> {
        let mut derived = Derived::default();
        state.apply_observed(&record, |event, effect| derived.note(event, &effect))?;
        Ok(Self { record, derived })
    }

    /// All that happened, in order.
    ///
    /// **Invariant**: the same record has the same events at the same places, however often it is unfolded.
    pub fn events(&self) -> impl Iterator<Item = AuditEvent<'_>> {
        let all = self.record.events.iter().enumerate().flat_map(|(at, event)| self.unfold(at, event));
        (0..).zip(all).map(|(index, what)| AuditEvent { record: &self.record, index, what })
    }

    /// The event at a place in the record.
    pub fn event(&self, index: u32) -> Option<AuditEvent<'_>> {
        self.events().nth(usize::try_from(index).ok()?)
    }

    /// A written event, and what ended with it.
    fn unfold<'a>(&'a self, at: usize, event: &'a Event) -> impl Iterator<Item = What<'a>> {
        let (mut named, mut erased, mut with) = (None, None, None);
        match event {
            Event::TagsDeleted { repository, tags, cause } => {
                named = Some(tags.iter().map(move |ended| TagEnd {
                    repository,
                    tag: &ended.tag,
                    was: &ended.was,
                    cause: cause.into(),
                    reason: None,
                }));
            }
            Event::TagErased { repository, tag, was, reason } => {
                erased = Some(TagEnd { repository, tag, was, cause: EndCause::Erased, reason: Some(reason) });
            }
            Event::ManifestDeleted { repository, .. } => with = Some((repository, EndCause::ManifestDeleted)),
            Event::RepositoryDeleted { repository } => with = Some((repository, EndCause::RepositoryDeleted)),
            _ => {}
        }
        let derived = with.into_iter().flat_map(move |(repository, cause)| {
            let end = move |ended: &'a tagstone_schema::event::EndedTag| TagEnd {
                repository,
                tag: &ended.tag,
                was: &ended.was,
                cause,
                reason: None,
            };
            self.derived.ends(at).map(end)
        });
        // Each end of a tag named here stands for itself, and the event that names them for nothing more.
        let written = named.is_none().then(|| What::Written { event, scope: self.scope(at, event) });
        let ends = named.into_iter().flatten().chain(erased).chain(derived);
        written.into_iter().chain(ends.map(What::TagEnded))
    }

    fn scope<'a>(&'a self, at: usize, event: &'a Event) -> Option<&'a tagstone_schema::policy::Scope> {
        match event {
            Event::PolicyDrafted { scope, .. } | Event::PolicyActivated { scope, .. } => Some(scope),
            _ => self.derived.scope(at),
        }
    }
}
