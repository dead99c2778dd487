//! How many bytes a record takes, for those who fill one.

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Origin, Record, RecordHash, Timestamp};

/// Bytes of a record with these events.
pub(super) fn record_bytes(actor: &Actor, origin: &Origin, events: Vec<Event>) -> u64 {
    let record = Record {
        format: FORMAT_VERSION,
        seq: 0,
        time: Timestamp(0),
        prev: RecordHash::ZERO,
        actor: actor.clone(),
        origin: origin.clone(),
        events,
    };
    record.encoded_len()
}
