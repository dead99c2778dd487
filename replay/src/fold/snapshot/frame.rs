//! The frame of a snapshot: magic and version, then sections, each with its length before it and behind it BLAKE3 of
//! everything up to there. A section without bytes is the end.
//!
//! So a section is decoded only when everything before it is known to be what was written, and never more is
//! allocated for one than the file has bytes.

use std::io::{self, Read, Write};

use bincode::Options;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

const MAGIC: &[u8; 8] = b"TAGSNAPS";
/// Raised whenever anything in a snapshot changes: one of another version is not read but made anew.
pub(super) const VERSION: u32 = 3;
const HASH_BYTES: usize = 32;

/// Why bytes are no snapshot.
#[derive(Debug)]
pub(super) enum FrameError {
    Io(io::Error),
    Foreign,
    Version(u32),
    Damaged(String),
}

pub(super) fn damaged(what: impl Into<String>) -> FrameError {
    FrameError::Damaged(what.into())
}

/// A snapshot that is being written.
pub(super) struct Writing<W> {
    out: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Writing<W> {
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let mut writing = Self { out, hasher: blake3::Hasher::new() };
        writing.hashed(&[MAGIC.as_slice(), &VERSION.to_le_bytes()].concat())?;
        Ok(writing)
    }

    pub(super) fn section(&mut self, content: &impl Serialize) -> io::Result<()> {
        let bytes = codec(u64::MAX).serialize(content).map_err(io::Error::other)?;
        self.raw_section(&bytes)
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        self.raw_section(&[])?;
        self.out.flush()
    }

    fn raw_section(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hashed(&(bytes.len() as u64).to_le_bytes())?;
        self.hashed(bytes)?;
        self.out.write_all(self.hasher.finalize().as_bytes())
    }

    fn hashed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }
}

/// The sections of a snapshot that is being read.
pub(super) struct Sections<R> {
    bytes: R,
    /// Bytes that the file has left.
    left: u64,
    hasher: blake3::Hasher,
    is_over: bool,
}

impl<R: Read> Sections<R> {
    pub(super) fn begin(bytes: R, length: u64) -> Result<Self, FrameError> {
        let mut sections = Self { bytes, left: length, hasher: blake3::Hasher::new(), is_over: false };
        let (mut magic, mut version) = ([0; MAGIC.len()], [0; 4]);
        sections.hashed(&mut magic).and_then(|()| sections.hashed(&mut version)).map_err(|error| match error {
            FrameError::Damaged(_) => FrameError::Foreign,
            other => other,
        })?;
        match u32::from_le_bytes(version) {
            _ if magic != *MAGIC => Err(FrameError::Foreign),
            VERSION => Ok(sections),
            other => Err(FrameError::Version(other)),
        }
    }

    /// The bytes of the next section; none behind the last one, where the file must end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if self.is_over {
            return Ok(None);
        }
        let mut length = [0; 8];
        self.hashed(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > self.left {
            return Err(damaged("it ends inside a section"));
        }
        let mut section = vec![0; usize::try_from(length).map_err(|_| damaged("a section is too long"))?];
        self.hashed(&mut section)?;
        let (mut stored, sum) = ([0; HASH_BYTES], self.hasher.finalize());
        self.read(&mut stored)?;
        if sum != stored {
            return Err(damaged("a checksum does not match"));
        }
        if !section.is_empty() {
            return Ok(Some(section));
        }
        self.is_over = true;
        if self.left > 0 { Err(damaged("something follows its end")) } else { Ok(None) }
    }

    fn hashed(&mut self, into: &mut [u8]) -> Result<(), FrameError> {
        self.read(into)?;
        self.hasher.update(into);
        Ok(())
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), FrameError> {
        let cut = || damaged("it ends before its end is marked");
        self.left = self.left.checked_sub(into.len() as u64).ok_or_else(cut)?;
        self.bytes.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            _ => FrameError::Io(error),
        })
    }
}

/// What a section holds.
pub(super) fn decode<T: DeserializeOwned>(section: &[u8]) -> Result<T, String> {
    codec(section.len() as u64).deserialize(section).map_err(|error| error.to_string())
}

/// The same, handed on while it is decoded.
pub(super) fn decode_with<'a, S: DeserializeSeed<'a>>(section: &'a [u8], seed: S) -> Result<S::Value, String> {
    codec(section.len() as u64).deserialize_seed(seed, section).map_err(|error| error.to_string())
}

fn codec(limit: u64) -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_little_endian().reject_trailing_bytes().with_limit(limit)
}
