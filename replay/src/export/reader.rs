//! Reading an export. Whatever the bytes are, this returns, and holds no more than a chunk in memory.

use std::collections::VecDeque;
use std::io::{self, Read};

use tagstone_schema::fragment::Start;
use tagstone_schema::{RecordHash, Seq, limits};

use super::{
    CHECKSUM_BYTES, CHUNK_BYTES, CHUNK_HEADER_BYTES, CHUNK_MAGIC, Checksum, HEADER_BYTES, Header, LENGTH_BYTES, MAGIC,
    NO_CHECKSUM, TRAILER_BYTES, TRAILER_MAGIC, Trailer, VERSION, checksum,
};
use crate::log::StoredRecord;

/// What is wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It begins as no export does.
    #[error("this is no export of a log: it does not begin with the letters TAGEXPRT")]
    NotExport,
    /// A later program wrote it.
    #[error("the export has version {found}; this program reads version {VERSION}")]
    UnknownVersion {
        /// The version it claims.
        found: u32,
    },
    /// The header's checksum does not hold, or its fields contradict each other.
    #[error("the header of the export is damaged")]
    Header,
    /// The bytes end too early.
    #[error("the export is cut off after {at} bytes")]
    Cut {
        /// How many bytes there are.
        at: u64,
    },
    /// A chunk is not what was written.
    #[error("the export is damaged in the part that begins at byte {at}: {what}")]
    Damaged {
        /// Where the chunk, or the trailer, begins.
        at: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// It cannot be read.
    #[error("the export cannot be read behind byte {at}: {source}")]
    Io {
        /// How far it was read.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads an export from its beginning: the records in order, nothing about them verified but what the export says.
///
/// The last item is an error unless the export is whole up to its trailer, and ends there. In a chunk that is damaged
/// those records are still read that the next one names as its predecessor: their bytes are proved.
pub struct Reader<R> {
    input: R,
    /// How many bytes were read.
    at: u64,
    last: Checksum,
    header: Header,
    read: u64,
    waiting: VecDeque<Vec<u8>>,
    then: Then,
}

/// What follows the records that wait.
enum Then {
    Chunk,
    Error(ExportError),
    Nothing(Option<Trailer>),
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, ExportError> {
        let header = Header::default();
        let (waiting, then) = (VecDeque::new(), Then::Chunk);
        let mut reader = Self { input, at: 0, last: NO_CHECKSUM, header, read: 0, waiting, then };
        let mut bytes = [0; HEADER_BYTES];
        let filled = reader.fill(&mut bytes)?;
        if !bytes[..filled].starts_with(MAGIC) {
            return Err(ExportError::NotExport);
        }
        reader.complete(filled, HEADER_BYTES)?;
        let version = bytes[8..].first_chunk().map_or(0, |raw| u32::from_le_bytes(*raw));
        if version != VERSION {
            return Err(ExportError::UnknownVersion { found: version });
        }
        if !reader.checksum_holds(&[&bytes])? {
            return Err(ExportError::Header);
        }
        reader.header = Header::decode(&bytes).ok_or(ExportError::Header)?;
        Ok(reader)
    }

    /// What stands before the first record.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What stands behind the last record, once everything was read and is whole.
    pub fn trailer(&self) -> Option<Trailer> {
        match self.then {
            Then::Nothing(trailer) => trailer,
            Then::Chunk | Then::Error(_) => None,
        }
    }

    /// Reads the next chunk, or the trailer.
    fn part(&mut self) -> Result<Then, ExportError> {
        let at = self.at;
        let damaged = |what| ExportError::Damaged { at, what };
        let mut start = [0; CHUNK_HEADER_BYTES];
        self.exactly(&mut start)?;
        if start.starts_with(TRAILER_MAGIC) {
            return self.end(at, &start).map(|trailer| Then::Nothing(Some(trailer)));
        }
        if !start.starts_with(CHUNK_MAGIC) {
            return Err(damaged("neither a chunk nor the trailer begins there"));
        }
        let number = |at: usize| start[at..].first_chunk().map_or(0, |raw| u32::from_le_bytes(*raw)) as usize;
        let (count, length) = (number(4), number(8));
        if count == 0 || length > CHUNK_BYTES || count > length / LENGTH_BYTES {
            return Err(damaged("its length is none that a chunk can have"));
        }
        let mut bytes = vec![0; length];
        let filled = self.fill(&mut bytes)?;
        let whole = self.complete(filled, length).and_then(|()| self.checksum_holds(&[&start, &bytes]));
        let (records, all_used) = records_in(&bytes[..filled]);
        let why = match whole {
            Ok(true) if all_used && records.len() == count => {
                self.waiting = records.into();
                return Ok(Then::Chunk);
            }
            Ok(true) => damaged("its records do not fill it"),
            Ok(false) => damaged("its checksum does not hold"),
            Err(error) => error,
        };
        self.waiting = proved(records);
        Ok(Then::Error(why))
    }

    /// Reads the rest of the trailer, behind which nothing may follow.
    fn end(&mut self, at: u64, start: &[u8; CHUNK_HEADER_BYTES]) -> Result<Trailer, ExportError> {
        let damaged = |what| ExportError::Damaged { at, what };
        let mut bytes = [0; TRAILER_BYTES];
        bytes[..CHUNK_HEADER_BYTES].copy_from_slice(start);
        self.exactly(&mut bytes[CHUNK_HEADER_BYTES..])?;
        if !self.checksum_holds(&[&bytes])? {
            return Err(damaged("the checksum of the trailer does not hold"));
        }
        let trailer = Trailer::claimed(&bytes).ok_or_else(|| damaged("the trailer contradicts itself"))?;
        if trailer.count != self.read || trailer.head.seq != self.last_seq() {
            return Err(damaged("the trailer names another number of records"));
        }
        if self.fill(&mut [0])? > 0 {
            return Err(damaged("more bytes follow the trailer"));
        }
        Ok(trailer)
    }

    /// Reads the checksum that follows a part, and compares it.
    fn checksum_holds(&mut self, parts: &[&[u8]]) -> Result<bool, ExportError> {
        let mut stored = [0; CHECKSUM_BYTES];
        self.exactly(&mut stored)?;
        self.last = checksum(&self.last, parts);
        Ok(stored == self.last)
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), ExportError> {
        let filled = self.fill(bytes)?;
        self.complete(filled, bytes.len())
    }

    fn complete(&self, filled: usize, wanted: usize) -> Result<(), ExportError> {
        if filled < wanted { Err(ExportError::Cut { at: self.at }) } else { Ok(()) }
    }

    /// Reads until the bytes are full or the input ends; returns how many were read.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, ExportError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    self.at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ExportError::Io { at: self.at, source }),
            }
        }
        Ok(filled)
    }

    /// The seq of the last record that was read.
    fn last_seq(&self) -> Seq {
        self.header.before.seq.saturating_add(self.read)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<StoredRecord, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                self.read += 1;
                return Some(Ok(StoredRecord { seq: self.last_seq(), bytes }));
            }
            self.then = match std::mem::replace(&mut self.then, Then::Nothing(None)) {
                Then::Chunk => self.part().unwrap_or_else(Then::Error),
                Then::Error(error) => return Some(Err(error)),
                Then::Nothing(trailer) => {
                    self.then = Then::Nothing(trailer);
                    return None;
                }
            };
        }
    }
}

/// The records of a chunk as far as their lengths can be followed, and whether they fill it.
fn records_in(chunk: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let (mut records, mut rest) = (Vec::new(), chunk);
    while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > limits::RECORD_BYTES {
            return (records, false);
        }
        let Some((record, behind)) = behind.split_at_checked(length) else { return (records, false) };
        records.push(record.to_vec());
        rest = behind;
    }
    (records, rest.is_empty())
}

/// The first of these records, as far as each is named by the one behind it.
fn proved(mut records: Vec<Vec<u8>>) -> VecDeque<Vec<u8>> {
    let names = |next: &[u8], record: &[u8]| Start::of(next).is_some_and(|next| next.prev == RecordHash::of(record));
    let count = records.windows(2).take_while(|pair| names(&pair[1], &pair[0])).count();
    records.truncate(count);
    records.into()
}
