//! The segments of sled's file, and the messages in them.
//!
//! A segment begins with a header: a checksum, its place in the sequence of all that was ever written (its LSN), and up to where that was
//! stable then. Messages follow one another; each has a checksum, its kind, its length, the number of its segment, and its page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::bytes::Bytes;

/// The length of every segment: sled's default, which `conf` repeats.
pub(super) const SEGMENT: usize = 512 * 1024;
pub(super) const SEGMENT_LSN: i64 = SEGMENT as i64;

const HEADER: usize = 20;
/// No message begins with less room behind it.
const MOST_MESSAGE_HEADER: usize = 32;
/// So much is read for the header of a message; what lies behind the end of the file counts as zeros.
const READ_AHEAD: usize = 128;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Canceled,
    Cap,
    Batch,
    Free,
    Counter,
    Meta,
    Node,
    Link,
    /// What it says lies in a file of its own.
    Outside,
}

/// A message whose checksum holds.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) page: u64,
    pub(super) body: &'a [u8],
    /// With its header.
    pub(super) length: usize,
}

impl<'a> Message<'a> {
    /// The message that the bytes begin with, if it is whole. `room` is what is left of its segment, the one with this number.
    pub(super) fn of(bytes: &'a [u8], room: usize, segment: u64) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let checksum = rest.u32()?;
        let kind = match rest.byte()? {
            1 => Kind::Canceled,
            2 => Kind::Cap,
            3 => Kind::Batch,
            4 => Kind::Free,
            5 => Kind::Counter,
            6 => Kind::Meta,
            8 => Kind::Node,
            10 => Kind::Link,
            7 | 9 | 11 => Kind::Outside,
            _ => return None,
        };
        let length = usize::try_from(rest.number()?).ok()?;
        let (number, page) = (rest.number()?, rest.number()?);
        let header = bytes.len() - rest.0.len();
        if length > room.checked_sub(header)? || number != segment {
            return None;
        }
        let body = rest.take(length)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(body);
        hasher.update(&bytes[4..header]);
        let length = header + length;
        (hasher.finalize() ^ u32::MAX == checksum).then_some(Self { kind, page, body, length })
    }
}

/// The header of a segment.
pub(super) struct Header {
    pub(super) lsn: i64,
    pub(super) stable: i64,
}

impl Header {
    /// None of a segment that holds nothing, or nothing that sled would look at.
    pub(super) fn of(bytes: &[u8; HEADER]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let checksum = rest.u32()? ^ u32::MAX;
        let (lsn, stable) = (rest.i64()? ^ i64::MAX, rest.i64()? ^ i64::MAX);
        (crc32fast::hash(&bytes[4..]) == checksum).then_some(Self { lsn, stable })
    }

    /// Those of all segments of a file, with their offsets.
    pub(super) fn all(file: &File) -> io::Result<Vec<(u64, Self)>> {
        let length = file.metadata()?.len();
        let mut found = Vec::new();
        for offset in (0..length).step_by(SEGMENT) {
            let mut bytes = [0; HEADER];
            if length - offset >= HEADER as u64 {
                file.read_exact_at(&mut bytes, offset)?;
                found.extend(Self::of(&bytes).map(|header| (offset, header)));
            }
        }
        Ok(found)
    }
}

/// A segment in memory.
pub(super) struct Segment {
    bytes: Vec<u8>,
    filled: usize,
    /// Where the next message begins.
    at: usize,
    lsn: i64,
    offset: u64,
}

/// What comes next in a segment.
pub(super) enum Next<'a> {
    Message {
        message: Message<'a>,
        lsn: i64,
        offset: u64,
    },
    /// It is full.
    End,
    /// There is no whole message there.
    Torn,
}

impl Segment {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SEGMENT + READ_AHEAD], filled: 0, at: SEGMENT, lsn: 0, offset: 0 }
    }

    /// Reads the segment at an offset.
    pub(super) fn load(&mut self, file: &File, offset: u64, lsn: i64) -> io::Result<()> {
        self.filled = read_at(file, &mut self.bytes[..SEGMENT], offset)?;
        self.bytes[self.filled..].fill(0);
        (self.at, self.lsn, self.offset) = (HEADER, lsn, offset);
        Ok(())
    }

    /// The place of the next message in the sequence of all.
    pub(super) fn lsn(&self) -> i64 {
        self.lsn.saturating_add(self.at as i64)
    }

    pub(super) fn next(&mut self) -> Next<'_> {
        if self.at > SEGMENT - MOST_MESSAGE_HEADER {
            return Next::End;
        }
        let (at, lsn, offset) = (self.at, self.lsn(), self.offset + self.at as u64);
        let end = self.filled.max(at + READ_AHEAD);
        let number = self.lsn.cast_unsigned() / SEGMENT as u64;
        match Message::of(&self.bytes[at..end], SEGMENT - at, number) {
            None => Next::Torn,
            Some(Message { kind: Kind::Cap, .. }) => Next::End,
            Some(message) => {
                self.at += message.length;
                Next::Message { message, lsn, offset }
            }
        }
    }
}

/// Reads until the bytes are full or the file ends; returns how many were read.
pub(super) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
