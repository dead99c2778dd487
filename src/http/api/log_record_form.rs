//! A record of the log as JSON, as `docs/format.md` describes it in "A record as JSON".

use serde::Serialize;
use serde_json::{Value, json};
use tagstone_schema::digest::hex;
use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::{Event, Record, RecordHash, Timestamp};
use utoipa::ToSchema;

/// A record of the log.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordForm {
    /// The version of the format of its stored bytes.
    format: u16,
    seq: u64,
    /// When it was committed (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    time: String,
    /// The hash of the record before it; zeros for the first.
    prev: String,
    /// BLAKE3 of its stored bytes, in hexadecimal.
    hash: String,
    /// Who made the change.
    #[schema(value_type = Object)]
    actor: Value,
    /// Where it came from.
    #[schema(value_type = Object)]
    origin: Value,
    /// What happened, in the form of `docs/format.md`, "A record as JSON".
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
}

impl RecordForm {
    /// The form of a record whose stored bytes have this hash.
    pub(super) fn of(record: &Record, hash: RecordHash) -> Result<Self, serde_json::Error> {
        Ok(Self {
            format: record.format,
            seq: record.seq,
            time: record.time.to_string(),
            prev: record.prev.to_string(),
            hash: hash.to_string(),
            actor: serde_json::to_value(&record.actor)?,
            origin: serde_json::to_value(&record.origin)?,
            events: record.events.iter().map(event).collect::<Result<_, _>>()?,
        })
    }
}

/// An event in the form of serde, but instants and hashes as text, as they stand everywhere else in the API.
fn event(event: &Event) -> Result<Value, serde_json::Error> {
    let mut form = serde_json::to_value(event)?;
    // An event has one member, which has the fields.
    if let Some(fields) = form.as_object_mut().and_then(|form| form.values_mut().next()) {
        spell_out(event, fields);
    }
    Ok(form)
}

/// Replaces the numbers of an event by text. Every event is named, so that no new one is forgotten.
fn spell_out(event: &Event, fields: &mut Value) {
    match event {
        Event::TagExpirySet { at, .. } => fields["at"] = instant(at.as_ref()),
        Event::TokenIssued { secret_hash, expires, .. } => {
            fields["secret_hash"] = json!(hex(secret_hash));
            fields["expires"] = instant(expires.as_ref());
        }
        Event::AttemptsRefused { since, until, entries, .. } => {
            fields["since"] = instant(Some(since));
            fields["until"] = instant(Some(until));
            let forms = fields["entries"].as_array_mut().into_iter().flatten();
            for (RefusedAttempt { first, last, .. }, form) in entries.iter().zip(forms) {
                form["first"] = instant(Some(first));
                form["last"] = instant(Some(last));
            }
        }
        Event::LogStarted { .. }
        | Event::ServerStarted { .. }
        | Event::BlobLinked { .. }
        | Event::BlobUnlinked { .. }
        | Event::ManifestPushed { .. }
        | Event::ManifestDeleted { .. }
        | Event::TagMoved { .. }
        | Event::TagsDeleted { .. }
        | Event::TagErased { .. }
        | Event::TagLocked { .. }
        | Event::TagUnlocked { .. }
        | Event::PolicyDrafted { .. }
        | Event::PolicyActivated { .. }
        | Event::PolicyChanged { .. }
        | Event::PolicyRetired { .. }
        | Event::DraftRemoved { .. }
        | Event::RepositoryDeleted { .. }
        | Event::ContentPurged { .. }
        | Event::ContentCollected { .. }
        | Event::TokenRevoked { .. } => {}
    }
}

fn instant(at: Option<&Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(at.to_string()))
}

#[cfg(test)]
#[path = "log_record_form_tests.rs"]
mod tests;
