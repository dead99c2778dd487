//! Bodies of answers: parts of files, read in large pieces on the blocking pool, one ahead of the network; content in
//! memory; and none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::connections::Busy;

/// The fewer hops to the pool, the faster: 1 MiB sends 1.5 times what 256 KiB does. Two of them a download are bearable.
const CHUNK_BYTES: usize = 1024 * 1024;

/// A part of a file as the body of an answer.
pub(super) struct FileBody {
    file: Arc<File>,
    offset: u64,
    remaining: u64,
    total: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    spare: Spare,
    busy: Option<Busy>,
}

/// Buffers that were sent. Reading into them again costs no fresh memory, which would be most of the time of a read.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

/// A chunk on its way to the network; its buffer is spare again when it was sent.
struct Chunk {
    buffer: Vec<u8>,
    length: usize,
    spare: Spare,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl FileBody {
    /// `length` bytes from `offset` on; the connection is busy until they are sent.
    pub(super) fn new(file: File, offset: u64, length: u64, busy: Option<Busy>) -> Self {
        let spare = Spare::default();
        Self { file: Arc::new(file), offset, remaining: length, total: length, reading: None, spare, busy }
    }

    fn read_ahead(&mut self) {
        let length = usize::try_from(self.remaining).map_or(CHUNK_BYTES, |remaining| remaining.min(CHUNK_BYTES));
        if length == 0 {
            self.reading = None;
            return;
        }
        let (file, offset, spare) = (self.file.clone(), self.offset, self.spare.clone());
        self.offset += length as u64;
        self.remaining -= length as u64;
        self.reading = Some(spawn_blocking(move || {
            let recycled = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let buffer = recycled.unwrap_or_else(|| vec![0; length]);
            let mut chunk = Chunk { length: length.min(buffer.len()), buffer, spare };
            let length = chunk.length;
            file.read_exact_at(&mut chunk.buffer[..length], offset)?;
            Ok(Bytes::from_owner(chunk))
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
            Ok(_) => {
                self.busy.iter().for_each(Busy::touch);
                self.read_ahead();
            }
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

/// Content in memory, sent in pieces so that it is seen how far the client has read.
pub(super) struct MemoryBody {
    rest: Bytes,
    total: u64,
    busy: Busy,
}

impl MemoryBody {
    /// About what the system buffers of a connection by itself; less needs no pieces.
    pub(super) const PIECE_BYTES: usize = 64 * 1024;

    pub(super) fn new(bytes: Bytes, busy: Busy) -> Self {
        Self { total: bytes.len() as u64, rest: bytes, busy }
    }
}

impl MessageBody for MemoryBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.total)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.busy.touch();
        let piece = self.rest.len().min(Self::PIECE_BYTES);
        Poll::Ready(Some(Ok(self.rest.split_to(piece))))
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
