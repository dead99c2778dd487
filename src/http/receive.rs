//! Receiving a body into an upload session: one buffer is filled from the network while another is written.

use std::io;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use tokio::task::{JoinHandle, spawn_blocking};

use super::body::Body;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use super::space::check_room;
use crate::content::{AlignedBuffer, Claim, FinishError};

/// After so many bytes it is looked again whether there is space. Several bodies may be received at once, so it is a small part of
/// what is kept free.
const LOOK_AFTER: usize = 256 << 10;

/// Appends a body to a session. Whatever was received stays in the session, also when the body breaks off, so that
/// the client can go on from there. On failure the session is free again when this returns.
pub(super) async fn receive(exchange: &Exchange<'_>, payload: Payload, claim: Claim) -> Result<Claim, Refusal> {
    let room = exchange.site.limits.blob_bytes.map(|most| most.saturating_sub(claim.offset()));
    let mut body = Body::new(exchange, payload, room, Code::BlobUploadInvalid)?;
    let mut pipe = Pipe::new(claim, exchange.content_length());
    let mut unseen = 0;
    let received = loop {
        match body.next().await {
            Ok(Some(piece)) => {
                // Others fill the disk meanwhile, and not every body announces its length.
                unseen += piece.len();
                if unseen >= LOOK_AFTER {
                    unseen = 0;
                    if let Err(refusal) = check_room(exchange.site, 0) {
                        break Err(refusal);
                    }
                }
                exchange.site.metrics.bytes_received(piece.len() as u64);
                pipe.take(&piece).await?;
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.refusal(Code::BlobUploadInvalid)),
        }
    };
    let claim = pipe.flush().await?;
    received.map(|()| claim)
}

/// The claim and two buffers, of which one may be with the blocking pool.
struct Pipe {
    filling: AlignedBuffer,
    idle: Option<(Claim, AlignedBuffer)>,
    writing: Option<JoinHandle<io::Result<(Claim, AlignedBuffer)>>>,
}

impl Pipe {
    fn new(claim: Claim, announced: Option<u64>) -> Self {
        // A body that is known to be short gets short buffers.
        let announced = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let capacity = announced.clamp(1, AlignedBuffer::CAPACITY);
        let second = if announced > capacity { capacity } else { 0 };
        Self { filling: AlignedBuffer::new(capacity), idle: Some((claim, AlignedBuffer::new(second))), writing: None }
    }

    async fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.filling.extend_from_slice(rest);
            rest = &rest[taken..];
            if self.filling.is_full() {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Hands the filled buffer to the pool, once the one before has been written.
    async fn write(&mut self) -> io::Result<()> {
        let (mut claim, mut empty) = self.settled().await?;
        if empty.spare() == 0 {
            empty = AlignedBuffer::new(self.filling.len());
        }
        let mut full = std::mem::replace(&mut self.filling, empty);
        self.writing = Some(spawn_blocking(move || {
            claim.append(full.as_slice())?;
            full.clear();
            Ok((claim, full))
        }));
        Ok(())
    }

    async fn settled(&mut self) -> io::Result<(Claim, AlignedBuffer)> {
        match (self.idle.take(), self.writing.take()) {
            (Some(idle), _) => Ok(idle),
            (None, Some(writing)) => writing.await.map_err(io::Error::other).flatten(),
            (None, None) => Err(io::Error::other("an earlier write of this upload failed")),
        }
    }

    /// Writes what is left, and gives the claim back.
    async fn flush(mut self) -> io::Result<Claim> {
        if !self.filling.is_empty() {
            self.write().await?;
        }
        Ok(self.settled().await?.0)
    }
}

/// Runs file work on the blocking pool.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<io::Error> + Send + 'static,
{
    let done = spawn_blocking(move || work().map_err(Into::into)).await;
    Ok(done.map_err(io::Error::other).flatten()?)
}

/// The disk failed under an upload.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "an upload could not be stored");
        let (status, message) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (StatusCode::INSUFFICIENT_STORAGE, "the registry's disk is full")
            }
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the registry could not read or write its disk; the operator has to look into it",
            ),
        };
        Self::new(status, Code::BlobUploadInvalid, message)
    }
}

impl From<FinishError> for Refusal {
    fn from(error: FinishError) -> Self {
        match error {
            FinishError::DigestMismatch { expected, actual } => Self::bad_request(
                Code::DigestInvalid,
                format!("the uploaded bytes have the digest {actual}, but the request names {expected}"),
            ),
            FinishError::Io(error) => error.into(),
        }
    }
}
