//! What a batch will do, before any of it is written.

use tagstone_replay::fold::State;
use tagstone_schema::record::{EncodeError, FORMAT_VERSION};
use tagstone_schema::{Actor, EncodedRecord, Event, Head, Origin, Record, Timestamp};

use super::handle::{Committed, Waiting, WriteError};
use crate::registry::command::Submission;
use crate::registry::decide::decide;
use crate::registry::expiry::lets_expire;
use crate::registry::published::Snapshot;
use crate::registry::rejection::Rejection;

/// What a batch will do, before any of it is written.
pub(super) struct Plan {
    pub(super) state: State,
    pub(super) head: Head,
    pub(super) records: Vec<EncodedRecord>,
    /// One for each command of the batch.
    pub(super) outcomes: Vec<Result<Committed, WriteError>>,
}

impl Plan {
    pub(super) fn empty(base: &Snapshot) -> Self {
        Self { state: base.state.clone(), head: base.head, records: Vec::new(), outcomes: Vec::new() }
    }

    /// Decides a batch: command N+1 sees the state that N leaves. It ends early behind a command that may let tags
    /// expire, so that they are gone before the next one is decided. The error names the command whose events are illegal.
    pub(super) fn of(batch: &[Waiting], base: &Snapshot, now: Timestamp) -> Result<Self, (usize, String)> {
        let mut plan = Self::empty(base);
        for (index, waiting) in batch.iter().enumerate() {
            let outcome = match decide(&plan.state, &waiting.submission.command) {
                Ok(events) if events.is_empty() => Ok(Committed::default()),
                Ok(events) => {
                    let Submission { actor, origin, .. } = &waiting.submission;
                    plan.add(actor, origin, events, now).map_err(|why| (index, why))?
                }
                Err(rejection) => Err(rejection.into()),
            };
            let lets_expire = outcome
                .as_ref()
                .is_ok_and(|committed: &Committed| committed.events.iter().any(|event| lets_expire(event, now)));
            plan.outcomes.push(outcome);
            if lets_expire {
                break;
            }
        }
        Ok(plan)
    }

    pub(super) fn add(
        &mut self,
        actor: &Actor,
        origin: &Origin,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Result<Committed, WriteError>, String> {
        let record = Record {
            format: FORMAT_VERSION,
            seq: self.head.seq + 1,
            // The clock may stand still or go backwards; the order of the log is what counts.
            time: now.max(self.head.time.next()),
            prev: self.head.hash,
            actor: actor.clone(),
            origin: origin.clone(),
            events,
        };
        let encoded = match record.encode() {
            Ok(encoded) => encoded,
            Err(EncodeError::TooLarge { limit }) => return Ok(Err(Rejection::TooLarge { limit }.into())),
            Err(EncodeError::Codec(why)) => return Err(why),
        };
        // What the next start would take for damage is not written: with a clock at the end of time no later time is
        // left for a record.
        record.check_follows(&self.head).map_err(|broken| broken.to_string())?;
        self.state.apply(&record).map_err(|illegal| illegal.to_string())?;
        self.head = encoded.head();
        self.records.push(encoded);
        Ok(Ok(Committed { seq: Some(record.seq), time: Some(record.time), events: record.events }))
    }

    pub(super) fn answer(self, batch: &mut Vec<Waiting>, now: Timestamp) {
        for (waiting, outcome) in batch.drain(..self.outcomes.len()).zip(self.outcomes) {
            waiting.reply(outcome, now);
        }
    }
}
