//! A record with all that happened in it.

use tagstone_schema::event::EndedTag;
use tagstone_schema::{Event, Record};

use super::{AuditEvent, Derived, TagEnd, What};
use crate::fold::EndCause;

/// A record, and what the fold adds to its events.
#[derive(Clone, Debug)]
pub struct Unfolded {
    /// The record.
    pub record: Record,
    /// What the state before it adds.
    pub derived: Derived,
}

impl Unfolded {
    /// All that happened, in order.
    ///
    /// **Invariant**: the same record has the same events at the same places, however often it is unfolded.
    pub fn events(&self) -> impl Iterator<Item = AuditEvent<'_>> {
        let events = self.record.events.iter().enumerate();
        let all = events
            .flat_map(move |(at, event)| (0..self.count(at, event)).filter_map(move |nth| self.nth(at, event, nth)));
        (0..).zip(all).map(|(index, what)| AuditEvent { record: &self.record, index, what })
    }

    /// The event at a place in the record. It costs no more in a record of very many.
    pub fn event(&self, index: u32) -> Option<AuditEvent<'_>> {
        let mut left = usize::try_from(index).ok()?;
        let what = self.record.events.iter().enumerate().find_map(|(at, event)| {
            let count = self.count(at, event);
            if left >= count {
                left -= count;
                return None;
            }
            self.nth(at, event, left)
        })?;
        Some(AuditEvent { record: &self.record, index, what })
    }

    /// How many events a written one is.
    fn count(&self, at: usize, event: &Event) -> usize {
        match event {
            Event::TagsDeleted { tags, .. } => tags.len(),
            Event::TagErased { .. } => 2,
            Event::ManifestDeleted { .. } | Event::RepositoryDeleted { .. } => 1 + self.derived.ends_of(at).len(),
            _ => 1,
        }
    }

    /// One of the events that a written one is.
    fn nth<'a>(&'a self, at: usize, event: &'a Event, nth: usize) -> Option<What<'a>> {
        let end = |repository, ended: &'a EndedTag, cause| {
            What::TagEnded(TagEnd { repository, tag: &ended.tag, was: &ended.was, cause, reason: None })
        };
        let derived = |repository, cause| {
            let (_, ended) = self.derived.ends_of(at).get(nth.checked_sub(1)?)?;
            Some(end(repository, ended, cause))
        };
        match event {
            Event::TagsDeleted { repository, tags, cause } => {
                tags.get(nth).map(|ended| end(repository, ended, cause.into()))
            }
            _ if nth == 0 => {
                let (scope, revoked) = (self.scope(at, event), self.derived.token(at));
                Some(What::Written { event, scope, revoked })
            }
            Event::TagErased { repository, tag, was, reason } => {
                let (cause, reason) = (EndCause::Erased, Some(&**reason));
                Some(What::TagEnded(TagEnd { repository, tag, was, cause, reason }))
            }
            Event::ManifestDeleted { repository, .. } => derived(repository, EndCause::ManifestDeleted),
            Event::RepositoryDeleted { repository } => derived(repository, EndCause::RepositoryDeleted),
            _ => None,
        }
    }

    fn scope<'a>(&'a self, at: usize, event: &'a Event) -> Option<&'a tagstone_schema::policy::Scope> {
        match event {
            Event::PolicyDrafted { scope, .. } | Event::PolicyActivated { scope, .. } => Some(scope),
            _ => self.derived.scope(at),
        }
    }
}
