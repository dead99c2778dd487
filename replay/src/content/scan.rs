//! Reading the entries of a segment from its bytes alone.
//!
//! A scan checks every content against its digest. Where a header is not sound it searches on, at every multiple of
//! the alignment, for the next entry; there it believes a header only if the content verifies too, since the bytes
//! searched may be anybody's content. So damage costs the entries that it touches and none behind them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::hash::ContentHasher;
use super::segment::{ALIGNMENT, Entry, HEADER_BYTES, MAGIC, State, decode_header};

const WINDOW_BYTES: usize = 256 * 1024;

/// The entries of one segment, in the order of their offsets. It stops at the first IO error.
pub struct Scanner<'a> {
    segment: u32,
    source: Window<'a>,
    position: u64,
    sync: Sync,
}

/// Whether the position is known to be the beginning of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Kept,
    Lost,
    Failed,
}

impl<'a> Scanner<'a> {
    /// A scan of the segment with this number. The file is only read, and at explicit positions.
    pub fn new(segment: u32, file: &'a File) -> io::Result<Self> {
        let source = Window { file, length: file.metadata()?.len(), start: 0, bytes: Vec::new() };
        Ok(Self { segment, source, position: 0, sync: Sync::Kept })
    }

    fn step(&mut self) -> io::Result<Option<Entry>> {
        while self.position + HEADER_BYTES as u64 <= self.source.length {
            let position = self.position;
            let candidate = match self.source.header(position)? {
                Some(header) => decode_header(self.segment, position, &header),
                None => None,
            };
            if let Some(entry) = candidate.filter(|entry| self.source.holds(entry))
                && let Some(entry) = self.judge(entry)?
            {
                self.sync = Sync::Kept;
                self.position = entry.end();
                return Ok(Some(entry));
            }
            self.sync = Sync::Lost;
            self.position += ALIGNMENT;
        }
        Ok(None)
    }

    /// The entry as its content shows it to be; `None` if it should not be believed to be an entry at all.
    fn judge(&mut self, entry: Entry) -> io::Result<Option<Entry>> {
        let sound = match entry.state {
            State::Erased if self.sync == Sync::Kept => true,
            State::Erased => self.source.is_zero(&entry)?,
            State::Live | State::Damaged => self.source.verifies(&entry)?,
        };
        Ok(match (sound, self.sync) {
            (true, _) => Some(entry),
            (false, Sync::Kept) => Some(Entry { state: State::Damaged, ..entry }),
            (false, _) => None,
        })
    }
}

impl Iterator for Scanner<'_> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.sync == Sync::Failed {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.sync = Sync::Failed;
        }
        step.transpose()
    }
}

/// A piece of the file in memory, which moves forward with the scan.
struct Window<'a> {
    file: &'a File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `offset` on: at least one and at most `most`, if the file has not shrunk meanwhile.
    fn bytes(&mut self, offset: u64, most: usize) -> io::Result<&[u8]> {
        let end = self.start + self.bytes.len() as u64;
        let wanted = most.min(HEADER_BYTES) as u64;
        if offset < self.start || offset + wanted > end {
            let room = self.length.saturating_sub(offset).min(WINDOW_BYTES as u64);
            self.bytes.resize(usize::try_from(room).unwrap_or(WINDOW_BYTES), 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX).min(self.bytes.len());
        let to = (from + most).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }

    /// The bytes of a header, if they begin like one.
    fn header(&mut self, offset: u64) -> io::Result<Option<[u8; HEADER_BYTES]>> {
        let bytes = self.bytes(offset, HEADER_BYTES)?;
        Ok(bytes.first_chunk().filter(|header| header[..4] == MAGIC).copied())
    }

    fn holds(&self, entry: &Entry) -> bool {
        entry.content_offset() + u64::from(entry.length) <= self.length
    }

    fn verifies(&mut self, entry: &Entry) -> io::Result<bool> {
        let mut hasher = ContentHasher::new(entry.digest.algorithm());
        self.each_piece(entry, |piece| {
            hasher.update(piece);
            true
        })?;
        Ok(hasher.finish() == entry.digest)
    }

    fn is_zero(&mut self, entry: &Entry) -> io::Result<bool> {
        self.each_piece(entry, |piece| piece.iter().all(|byte| *byte == 0))
    }

    /// Gives the entry's content to `visit`, piece by piece, while it answers true.
    fn each_piece(&mut self, entry: &Entry, mut visit: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        let mut offset = entry.content_offset();
        let end = offset + u64::from(entry.length);
        while offset < end {
            let most = usize::try_from(end - offset).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
            let piece = self.bytes(offset, most)?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = piece.len() as u64;
            if !visit(piece) {
                return Ok(false);
            }
            offset += taken;
        }
        Ok(true)
    }
}
