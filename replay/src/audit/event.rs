//! One thing that happened.

use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, Event, Record, RepositoryName, Tag};

use super::{CauseKind, Kind, Place, RevokedToken};
use crate::fold::EndCause;

/// One thing that happened, with the record that tells who and when.
#[derive(Clone, Copy, Debug)]
pub struct AuditEvent<'a> {
    /// The record.
    pub record: &'a Record,
    /// The place among the events of the record, written and derived.
    pub index: u32,
    /// What happened.
    pub what: What<'a>,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A written event; never the deletion of tags, which is the end of each.
    Written {
        /// The event.
        event: &'a Event,
        /// The scope of the policy that it concerns, where it concerns one.
        scope: Option<&'a Scope>,
        /// The access token that it revoked, where it did.
        revoked: Option<&'a RevokedToken>,
    },
    /// The end of a tag.
    TagEnded(TagEnd<'a>),
}

/// The end of a tag.
#[derive(Clone, Copy, Debug)]
pub struct TagEnd<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The tag.
    pub tag: &'a Tag,
    /// Where it pointed.
    pub was: &'a Digest,
    /// Why it ended.
    pub cause: EndCause,
    /// The reason that was given, where one had to be.
    pub reason: Option<&'a str>,
}

impl AuditEvent<'_> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { seq: self.record.seq, index: self.index }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self.what {
            What::Written { event, .. } => Kind::of(event),
            What::TagEnded(_) => Kind::TagDeleted,
        }
    }

    /// Why a tag ended, if one did.
    pub fn cause(&self) -> Option<CauseKind> {
        match self.what {
            What::Written { .. } => None,
            What::TagEnded(TagEnd { cause, .. }) => Some(cause.into()),
        }
    }
}
