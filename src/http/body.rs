//! Request bodies: bounded in size, in silence and in slowness.

use std::sync::Arc;
use std::time::Instant;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::connections::Connection;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use super::site::Limits;
use crate::limit::Limit;

/// A body that is being received.
pub(super) struct Body<'a> {
    payload: Payload,
    limits: &'a Limits,
    connection: Option<&'a Arc<Connection>>,
    /// The most bytes, and the code of the refusal of more.
    most: Option<u64>,
    code: Code,
    received: u64,
    began: Instant,
}

/// Why a body ended early.
#[derive(Debug)]
pub(super) enum BodyError {
    /// More bytes than are allowed.
    TooLarge { most: u64 },
    /// Nothing came for too long, or too little: the limit says which.
    TooSlow { received: u64, limit: Limit },
    /// The client has gone away, or broke the framing.
    Broken { received: u64, why: String },
}

impl BodyError {
    pub(super) fn refusal(self, code: Code) -> Refusal {
        let refusal = match self {
            Self::TooLarge { most } => {
                let message = format!("the body has more than the {most} bytes that are allowed here");
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message).by(size_limit(code))
            }
            Self::TooSlow { received, limit } => {
                let message = format!("the body came too slowly and was cut off after {received} bytes; send it again");
                Refusal::new(StatusCode::REQUEST_TIMEOUT, code, message).by(limit)
            }
            Self::Broken { received, why } => {
                Refusal::bad_request(code, format!("the body broke off after {received} bytes ({why}); send it again"))
            }
        };
        // What is left of the body was not read, so the connection cannot carry another request.
        refusal.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

impl<'a> Body<'a> {
    /// A body of at most `most` bytes. A length that is announced and too large is refused before anything is read.
    pub(super) fn new(
        exchange: &Exchange<'a>,
        payload: Payload,
        most: Option<u64>,
        code: Code,
    ) -> Result<Self, Refusal> {
        if let (Some(most), Some(announced)) = (most, exchange.content_length())
            && announced > most
        {
            return Err(BodyError::TooLarge { most }.refusal(code));
        }
        let connection = Connection::of(exchange.request);
        Ok(Self { payload, limits: &exchange.site.limits, connection, most, code, received: 0, began: Instant::now() })
    }

    /// The next piece, or none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let piece = match tokio::time::timeout(self.limits.body_idle, self.payload.next()).await {
            Err(_) => return Err(BodyError::TooSlow { received: self.received, limit: Limit::BodyIdle }),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(BodyError::Broken { received: self.received, why: told(&error) }),
            Ok(Some(Ok(piece))) => piece,
        };
        if let Some(connection) = self.connection {
            connection.touch();
        }
        self.received += piece.len() as u64;
        if let Some(most) = self.most
            && self.received > most
        {
            return Err(BodyError::TooLarge { most });
        }
        let elapsed = self.began.elapsed();
        let least = elapsed.as_secs().saturating_mul(self.limits.body_minimum_rate);
        if elapsed > self.limits.body_idle && self.received < least {
            return Err(BodyError::TooSlow { received: self.received, limit: Limit::BodyMinimumRate });
        }
        Ok(Some(piece))
    }

    /// The whole body in memory; only for bodies that are bounded.
    pub(super) async fn whole(mut self) -> Result<Bytes, Refusal> {
        let code = self.code;
        let Some(first) = self.next().await.map_err(|error| error.refusal(code))? else { return Ok(Bytes::new()) };
        let mut rest = BytesMut::new();
        while let Some(piece) = self.next().await.map_err(|error| error.refusal(code))? {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&piece);
        }
        // A small body comes in one piece, which is a slice of the connection's read buffer. It is copied, as it may
        // outlive the request in a cache and would keep the whole buffer in memory.
        Ok(if rest.is_empty() { Bytes::copy_from_slice(&first) } else { rest.freeze() })
    }
}

/// The limit on the size of what this code is about. Other bodies have bounds that cannot be set.
fn size_limit(code: Code) -> Option<Limit> {
    match code {
        Code::ManifestInvalid => Some(Limit::ManifestBytes),
        Code::BlobUploadInvalid => Some(Limit::BlobBytes),
        _ => None,
    }
}

fn told(error: &PayloadError) -> String {
    match error {
        PayloadError::Incomplete(_) => "the connection was closed".to_owned(),
        other => other.to_string(),
    }
}
