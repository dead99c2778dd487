//! Answering with a part of a file: large positional reads on the blocking pool, one chunk ahead of the network.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// Large enough that a hop to the pool costs little, small enough that two of them a download are bearable.
const CHUNK_BYTES: u64 = 512 * 1024;

/// A part of a file as the body of an answer.
pub(super) struct FileBody {
    file: Arc<File>,
    offset: u64,
    remaining: u64,
    total: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// `length` bytes from `offset` on.
    pub(super) fn new(file: File, offset: u64, length: u64) -> Self {
        Self { file: Arc::new(file), offset, remaining: length, total: length, reading: None }
    }

    fn read_ahead(&mut self) {
        let length = self.remaining.min(CHUNK_BYTES);
        if length == 0 {
            self.reading = None;
            return;
        }
        let (file, offset) = (self.file.clone(), self.offset);
        self.offset += length;
        self.remaining -= length;
        self.reading = Some(spawn_blocking(move || {
            // Bounded by the size of a chunk.
            let mut chunk = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut chunk, offset)?;
            Ok(Bytes::from(chunk))
        }));
    }
}

impl MessageBody for FileBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.total)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.reading.is_none() {
            self.read_ahead();
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other).flatten();
        match &read {
            Ok(_) => self.read_ahead(),
            // Some of the answer is sent, so all that is left is to cut the connection, which the client notices by
            // the length.
            Err(error) => {
                tracing::error!(%error, "reading a blob failed while it was sent");
                self.remaining = 0;
                self.reading = None;
            }
        }
        Poll::Ready(Some(read))
    }
}

/// The body of an answer to HEAD: the length of what GET would answer, and nothing else.
pub(super) struct NoBody(pub(super) u64);

impl MessageBody for NoBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
