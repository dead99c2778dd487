//! The turns in the life of a tag: it is created, it moves, it ends.

use serde::{Serialize, Serializer};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag};

use super::{AuditEvent, CauseKind, Deed, TagEnd, What};
use crate::fold::EndCause;

/// A turn in the life of a tag, with who did it, when, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagTurn {
    /// Who, when, from where.
    pub deed: Deed,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What became of it.
    pub turn: Turn,
}

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was not there, and points here now.
    Created {
        /// Where it points now.
        to: Digest,
    },
    /// It points elsewhere now.
    Moved {
        /// Where it pointed.
        from: Digest,
        /// Where it points now.
        to: Digest,
    },
    /// It is gone.
    Deleted {
        /// Where it pointed.
        from: Digest,
        /// Why it ended.
        cause: EndCause,
        /// The reason that was given, where one had to be.
        reason: Option<String>,
    },
}

/// Which tag an event turned, from where, and whereto: what is to be known before a whole [`TagTurn`] is made.
#[derive(Clone, Copy, Debug)]
pub struct TurnedTag<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The tag.
    pub tag: &'a Tag,
    /// Where it pointed.
    pub from: Option<&'a Digest>,
    /// Where it points now.
    pub to: Option<&'a Digest>,
}

impl<'a> AuditEvent<'a> {
    /// Which tag the event turned, if it turned one.
    pub fn turned(&self) -> Option<TurnedTag<'a>> {
        match self.what {
            What::Written { event: Event::TagMoved { repository, tag, from, to }, .. } => {
                Some(TurnedTag { repository, tag, from: from.as_ref(), to: Some(to) })
            }
            What::Written { .. } => None,
            What::TagEnded(TagEnd { repository, tag, was, .. }) => {
                Some(TurnedTag { repository, tag, from: Some(was), to: None })
            }
        }
    }
}

impl TagTurn {
    /// The turn that an event is, if it is one.
    pub fn of(event: &AuditEvent<'_>) -> Option<Self> {
        let turned = event.turned()?;
        let turn = match (event.what, turned.from.cloned(), turned.to.cloned()) {
            (What::TagEnded(TagEnd { was, cause, reason, .. }), ..) => {
                Turn::Deleted { from: was.clone(), cause, reason: reason.map(str::to_owned) }
            }
            (_, Some(from), Some(to)) => Turn::Moved { from, to },
            (_, None, Some(to)) => Turn::Created { to },
            (_, _, None) => return None,
        };
        let (repository, tag) = (turned.repository.clone(), turned.tag.clone());
        Some(Self { deed: Deed::of(event), repository, tag, turn })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    deed: &'a Deed,
    repository: &'a RepositoryName,
    tag: &'a Tag,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// `event` is `created`, `moved` or `deleted`; the other fields are named as in the form of an event.
impl Serialize for TagTurn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { deed, repository, tag, turn } = self;
        let (event, from, to) = match turn {
            Turn::Created { to } => ("created", None, Some(to)),
            Turn::Moved { from, to } => ("moved", Some(from), Some(to)),
            Turn::Deleted { from, .. } => ("deleted", Some(from), None),
        };
        let (cause, reason) = match turn {
            Turn::Deleted { cause, reason, .. } => (Some(*cause), reason.as_deref()),
            Turn::Created { .. } | Turn::Moved { .. } => (None, None),
        };
        let (policy, run) = match cause {
            Some(EndCause::Prune { policy, run }) => (Some(policy), Some(run)),
            _ => (None, None),
        };
        let cause = cause.map(|cause| CauseKind::from(cause).name());
        Written { deed, repository, tag, event, from, to, cause, policy, run, reason }.serialize(serializer)
    }
}
