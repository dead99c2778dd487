//! Where the log stands, and the fingerprint of the state there.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use serde::Serialize;
use tagstone_replay::fold::Fingerprint;
use tagstone_schema::Head;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};
use crate::http::exchange::Exchange;
use crate::registry::Published;

/// The last record of the log, and the state it leads to.
#[derive(Serialize, ToSchema)]
pub(super) struct LogHead {
    /// The record's number; the first has 1.
    seq: u64,
    /// The record's hash, in hexadecimal.
    hash: String,
    /// When it was written (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    time: String,
    /// BLAKE3 over the canonical text of the state, in hexadecimal; `tagstone-replay` computes the same from the log.
    fingerprint: String,
}

/// GET `/api/v1/log/head`
#[utoipa::path(
    get,
    path = "/api/v1/log/head",
    operation_id = "get_log_head",
    tag = "log",
    summary = "The last record of the log and the fingerprint of the state it leads to",
    responses((status = 200, description = "The head, and the fingerprint of the state there", body = LogHead)),
)]
pub(super) async fn get(exchange: &Exchange<'_>) -> ApiAnswer {
    let site = exchange.site;
    let taken = site.fingerprints.newest(&site.published).await.map_err(|error| {
        tracing::error!(%error, "the fingerprint of the state cannot be computed");
        ApiRefusal::new(ErrorType::InternalError, "the fingerprint of the state cannot be computed")
    })?;
    let Head { seq, hash, time } = taken.head;
    Ok(HttpResponse::Ok().json(LogHead {
        seq,
        hash: hash.to_string(),
        time: time.to_string(),
        fingerprint: taken.fingerprint.to_string(),
    }))
}

/// The last fingerprint that was computed.
///
/// Computing one takes time in proportion to the state, so at most one is computed at a time, on the blocking pool,
/// and whoever asks meanwhile shares the next: polling never costs more than one core.
#[derive(Default)]
pub(in crate::http) struct Fingerprints(Arc<Mutex<Option<Taken>>>);

/// The fingerprint of a state that was the newest at an instant.
#[derive(Clone, Copy)]
struct Taken {
    at: Instant,
    head: Head,
    fingerprint: Fingerprint,
}

impl Fingerprints {
    /// The fingerprint of a state that was the newest at some moment since this was called.
    async fn newest(&self, published: &Published) -> Result<Taken, tokio::task::JoinError> {
        let asked = Instant::now();
        let mut last = self.0.clone().lock_owned().await;
        let at = Instant::now();
        let snapshot = published.snapshot();
        if let Some(taken) = *last
            && (taken.at >= asked || taken.head == snapshot.head)
        {
            return Ok(taken);
        }
        // The lock goes along: a client that goes away ends neither the work nor the wait of others for it.
        tokio::task::spawn_blocking(move || {
            let taken = Taken { at, head: snapshot.head, fingerprint: snapshot.state.fingerprint() };
            *last = Some(taken);
            taken
        })
        .await
    }
}
