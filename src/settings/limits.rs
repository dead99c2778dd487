//! `[limits]`: what one request, and all of them together, may take from the server.

use std::time::Duration;

use super::form::{Number, Span};
use super::reader::Section;

const DAY: Duration = Duration::from_secs(86_400);

/// Limits on requests. Limits on what can be recorded are in the schema and cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest manifest; a larger one is refused with 413.
    pub manifest_bytes: u64,
    /// Bytes of the largest blob; `None` (written 0) is no limit.
    pub blob_bytes: Option<u64>,
    /// How long a request's body may stall before the connection is closed.
    pub body_idle: Duration,
    /// How long the head of a request may take to arrive.
    pub head_timeout: Duration,
    /// Bytes a second that a body has to reach on average; 0 asks for none.
    pub body_minimum_rate: u64,
    /// Upload sessions open at once; one more is refused until another ends.
    pub open_uploads: u64,
    /// Upload sessions that one client may have open.
    pub client_uploads: u64,
    /// Entries of the largest page of a list; a larger `n` is cut to it.
    pub page_entries: u64,
    /// Streams of events open at once; one more is refused until another ends.
    pub event_streams: u64,
    /// Requests that one client may have under way.
    pub client_requests: u64,
    /// Connections open at once; others wait to be accepted.
    pub connections: u64,
    /// Bytes of the longest request target; a longer one is refused with 414.
    pub uri_bytes: u64,
    /// Bytes of the largest header; a larger one is refused with 431.
    pub header_bytes: u64,
    /// Fields of the largest header; one with more is refused with 431.
    pub header_fields: u64,
    /// Failed logins a minute that are forgiven to one address; further attempts are refused with 429.
    pub failed_logins: u64,
    /// Bytes of the disk that are kept free; without them, whatever adds is refused with 507.
    pub free_disk_bytes: u64,
    /// The same in hundredths of the disk; the smaller one counts.
    pub free_disk_percent: u64,
    /// How long an access token can be valid.
    pub token_lifetime: Duration,
}

impl Limits {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self {
            // A manifest is held in memory while it is parsed, so the bound is the memory of one request.
            manifest_bytes: section.take("manifest_bytes", 4 << 20, &Number::bytes(1 << 10, 64 << 20)),
            blob_bytes: match section.take("blob_bytes", 64 << 30, &Number::bytes(0, 1 << 50)) {
                0 => None,
                bytes => Some(bytes),
            },
            // More than three minutes would let a client that has gone away hold an upload for as long.
            body_idle: section.take("body_idle", Duration::from_secs(60), &Span::millis(100, 180_000)),
            head_timeout: section.take("head_timeout", Duration::from_secs(30), &Span::millis(100, 60_000)),
            body_minimum_rate: section.take("body_minimum_rate", 1024, &Number::new("bytes a second", 0, 1 << 30)),
            open_uploads: section.take("open_uploads", 10_000, &Number::new("sessions", 1, 1_000_000)),
            // One client can take a fifth of all, so it takes more than a few to keep others from pushing.
            client_uploads: section.take("client_uploads", 2_000, &Number::new("sessions", 1, 1_000_000)),
            page_entries: section.take("page_entries", 1_000, &Number::new("entries", 1, 10_000)),
            // Each holds a connection and at most some hundred KiB that its client has not read yet.
            event_streams: section.take("event_streams", 256, &Number::new("streams", 1, 100_000)),
            // Far more than a client has that pushes many images at once; all runners of a CI may share a user or an address.
            client_requests: section.take("client_requests", 2_000, &Number::new("requests", 1, 1_000_000)),
            connections: section.take("connections", 25_000, &Number::new("connections", 1, 1_000_000)),
            // The HTTP library ends a connection whose head is beyond 128 KiB, so a target must stay well below.
            uri_bytes: section.take("uri_bytes", 8_192, &Number::bytes(1 << 10, 64 << 10)),
            // Tokens of an issuer take some KiB, and proxies add fields of their own.
            header_bytes: section.take("header_bytes", 64 << 10, &Number::bytes(1 << 10, 128 << 10)),
            // The HTTP library answers 400 to more than 96 fields. Clients send under 20.
            header_fields: section.take("header_fields", 64, &Number::new("fields", 16, 96)),
            failed_logins: section.take("failed_logins", 30, &Number::new("logins a minute", 1, 1_000_000)),
            // The log, the snapshot and the index go on in it: a deletion frees space, and is a record itself.
            free_disk_bytes: section.take("free_disk_bytes", 256 << 20, &Number::bytes(0, 1 << 50)),
            // So that a small disk is not taken whole.
            free_disk_percent: section.take("free_disk_percent", 5, &Number::new("percent", 0, 100)),
            // A year, and a day to replace it.
            token_lifetime: section.take("token_lifetime", DAY * 366, &Span::seconds(60, 3_660 * 86_400)),
        }
    }
}
