//! Probes for whoever operates the registry.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::exchange::{Answer, Exchange};
use crate::registry::ReadOnly;

/// GET `/healthz`: the process lives.
pub(super) fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// GET `/readyz` before the log is verified and folded.
pub(super) fn recovering() -> HttpResponse {
    HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE).content_type("text/plain").body("recovering\n")
}

/// GET `/readyz`: reads and writes are served.
pub(super) fn ready(exchange: &Exchange<'_>) -> Answer {
    if let Some(why) = exchange.site.writer.writing().ended() {
        let body = match why {
            ReadOnly::WriteFailed => "read-only: a write to the disk failed; restart the registry\n".to_owned(),
            ReadOnly::LogDamaged(damage) => format!(
                "read-only: the log is damaged: {damage}; `tagstone-replay verify` says how far it is sound, and a restart \
                 does not help\n"
            ),
        };
        return Ok(HttpResponse::build(StatusCode::SERVICE_UNAVAILABLE).content_type("text/plain").body(body));
    }
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}

/// GET `/metrics` (Prometheus text format)
pub(super) fn metrics(exchange: &Exchange<'_>) -> Answer {
    let site = exchange.site;
    site.metrics.observe_queue(site.writer.waiting());
    site.metrics.observe_uploads(site.content.uploads.open_count());
    if let Ok(disk) = site.limits.disk.measure() {
        site.metrics.observe_disk(disk);
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(site.metrics.text()))
}
