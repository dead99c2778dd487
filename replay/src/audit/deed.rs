//! Who did something, when, and from where.

use serde::{Serialize, Serializer};
use tagstone_schema::{Actor, Origin, Timestamp};

use super::{AuditEvent, Place};

/// An event without what happened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Where it stands.
    pub place: Place,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

impl Deed {
    /// That of an event.
    pub fn of(event: &AuditEvent<'_>) -> Self {
        let record = event.record;
        let (actor, origin) = (record.actor.clone(), record.origin.clone());
        Self { place: event.place(), time: record.time, actor, origin }
    }
}

/// The fields that every event has.
#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    index: u32,
    time: String,
    actor: &'a Actor,
    origin: &'a Origin,
}

impl Serialize for Deed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { place, time, actor, origin } = self;
        Written { seq: place.seq, index: place.index, time: time.to_string(), actor, origin }.serialize(serializer)
    }
}
