//! The records of the log as they are stored, for whoever keeps a copy of the log or reads it elsewhere.
//!
//! An answer never reaches behind the head that was published when the request came, so the pages of one reader are a
//! prefix of the log. Each is read and written in memory, a few at a time, and bounded by its bytes.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use tagstone_replay::export::{Header, Writer};
use tagstone_replay::log::chain::Chain;
use tagstone_replay::log::{RecordReader, StoreError};
use tagstone_schema::{Head, Id, Record, RecordHash, Seq};
use utoipa::{IntoParams, ToSchema};

use super::ApiAnswer;
use super::accept::quality;
use super::error::{ApiRefusal, ErrorType};
use super::log_record_form::RecordForm;
use crate::http::exchange::Exchange;
use crate::http::query::Query;

/// Bytes of the stored records of an answer. One record is always answered, and none has more than 72 KiB.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// As JSON, where digests and hashes take several times their bytes.
const JSON_PAGE_BYTES: usize = 1024 * 1024;

const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";

/// Records of the log.
#[derive(Serialize, ToSchema)]
struct RecordList {
    /// In order, without a gap.
    records: Vec<RecordForm>,
}

/// The parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read by `number`")]
struct Parameters {
    /// The first record of the answer; without it, the first of the log. One more than the last record of the log answers
    /// with none.
    #[param(minimum = 1)]
    from: Option<u64>,
    /// The most records of the answer.
    #[param(minimum = 1)]
    n: Option<u64>,
}

/// GET `/api/v1/log/records`
#[utoipa::path(
    get,
    path = "/api/v1/log/records",
    operation_id = "get_log_records",
    tag = "log",
    summary = "The records of the log as they are stored",
    description = "In the export format of `docs/format.md`; with `Accept: application/json` as JSON, in the form of \
                   `A record as JSON` there. An answer holds as many \
                   records as `n` asks for, up to 4 MiB of stored bytes (1 MiB as JSON), and at least one where there is \
                   one. To go on, give `from` one more than the last seq.",
    params(Parameters),
    responses(
        (
            status = 200,
            description = "Records in order",
            content((RecordList = "application/json"), (Vec<u8> = "application/octet-stream")),
        ),
        (status = 400, description = "`invalid_request`: a parameter is no number from 1, or `from` lies behind the log"),
    ),
)]
pub(super) async fn get(exchange: &Exchange<'_>) -> ApiAnswer {
    let query = exchange.query();
    let from = number(&query, "from")?.unwrap_or(1);
    let most = number(&query, "n")?.unwrap_or(u64::MAX);
    let snapshot = exchange.site.published.snapshot();
    let (head, log) = (snapshot.head, snapshot.state.log());
    if from > head.seq.saturating_add(1) {
        let why = format!("`from={from}` lies behind the log, whose last record is {}", head.seq);
        return Err(ApiRefusal::invalid_request(why));
    }
    let (as_json, most_bytes) = if wants_json(exchange) { (true, JSON_PAGE_BYTES) } else { (false, PAGE_BYTES) };
    let page = Page { records: exchange.site.records.clone(), last: head.seq, log, from, most, most_bytes };
    let read = exchange.site.questions.ask(move || if as_json { page.json() } else { page.export() }).await?;
    let bytes = read.map_err(|error| {
        tracing::error!(%error, from, "the log cannot be read");
        ApiRefusal::new(ErrorType::InternalError, format!("the log cannot be read from record {from} on"))
    })?;
    let content_type = if as_json { JSON } else { OCTETS };
    Ok(HttpResponse::Ok().content_type(content_type).insert_header((header::VARY, "Accept")).body(bytes))
}

/// Whoever names JSON, and takes it more gladly than the export's type, gets JSON.
fn wants_json(exchange: &Exchange<'_>) -> bool {
    let (json, octets) = (quality(exchange.headers(), JSON), quality(exchange.headers(), OCTETS));
    json > octets
}

fn number(query: &Query<'_>, name: &str) -> Result<Option<u64>, ApiRefusal> {
    let Some(text) = query.one(name)? else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large for this machine is larger than any limit.
    let number = digits.then(|| text.parse().unwrap_or(u64::MAX)).filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| ApiRefusal::invalid_request(format!("`{name}={text}` is no number from 1")))
}

/// A part of the log that is asked for.
struct Page {
    records: RecordReader,
    /// The last record that may be answered.
    last: Seq,
    log: Option<Id>,
    from: Seq,
    most: u64,
    most_bytes: usize,
}

impl Page {
    fn export(&self) -> Result<Vec<u8>, StoreError> {
        let before = self.before()?;
        let failed = |error: std::io::Error| unreadable(&error);
        let mut writer = Writer::new(Vec::new(), &Header { log: self.log, before }).map_err(failed)?;
        self.each(before, |_, head, bytes| writer.push(head, bytes).map_err(failed))?;
        writer.finish().map(|(bytes, _)| bytes).map_err(failed)
    }

    fn json(&self) -> Result<Vec<u8>, StoreError> {
        let mut records = Vec::new();
        self.each(self.before()?, |record, head, _| {
            records.push(RecordForm::of(record, head.hash).map_err(|error| unreadable(&error))?);
            Ok(())
        })?;
        serde_json::to_vec(&RecordList { records }).map_err(|error| unreadable(&error))
    }

    /// The record before the first one.
    fn before(&self) -> Result<Head, StoreError> {
        let seq = self.from.saturating_sub(1);
        if seq == 0 {
            return Ok(Head::default());
        }
        let stored = self.records.read(seq).next().ok_or_else(|| unreadable(&"it is missing"))??;
        let record = Record::decode(&stored.bytes).map_err(|error| unreadable(&error))?;
        Ok(Head { seq, hash: RecordHash::of(&stored.bytes), time: record.time })
    }

    /// Goes through the records of the page, each verified as one that follows the one before.
    fn each(
        &self,
        before: Head,
        mut take: impl FnMut(&Record, Head, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut chain, mut left, mut room) = (Chain::after(before), self.most, self.most_bytes);
        let mut stored = self.records.read(self.from);
        while left > 0 && chain.head().seq < self.last {
            let stored = stored.next().ok_or_else(|| unreadable(&"it ends before its head"))??;
            if stored.bytes.len() > room && chain.head() != before {
                break;
            }
            let record = chain.next(&stored).map_err(|error| unreadable(&error))?;
            take(&record, chain.head(), &stored.bytes)?;
            (left, room) = (left - 1, room.saturating_sub(stored.bytes.len()));
        }
        Ok(())
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> StoreError {
    StoreError { doing: "reading the log", why: why.to_string() }
}

#[cfg(test)]
#[path = "log_records_tests.rs"]
mod tests;
