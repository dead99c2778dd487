//! Writing an export.

use std::io::{self, Write};

use tagstone_schema::Head;

use super::{
    CHUNK_BYTES, CHUNK_HEADER_BYTES, CHUNK_MAGIC, Checksum, Header, LENGTH_BYTES, NO_CHECKSUM, Trailer, checksum,
};

/// Writes records, one behind the other. An export is whole only after [`Writer::finish`].
pub struct Writer<W> {
    out: W,
    last: Checksum,
    /// The records of the chunk that is not written yet, each with its length.
    waiting: Vec<u8>,
    waiting_records: u32,
    trailer: Trailer,
}

impl<W: Write> Writer<W> {
    /// Begins an export.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let trailer = Trailer { count: 0, head: header.before };
        let mut writer = Self { out, last: NO_CHECKSUM, waiting: Vec::new(), waiting_records: 0, trailer };
        writer.write_part(&[&header.encode()])?;
        Ok(writer)
    }

    /// Adds the stored bytes of the next record, which `head` names.
    pub fn push(&mut self, head: Head, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if head.seq != self.trailer.head.seq.saturating_add(1)
            || bytes.is_empty()
            || bytes.len() + LENGTH_BYTES > CHUNK_BYTES
        {
            let what = format!("record {} cannot follow record {} in an export", head.seq, self.trailer.head.seq);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if self.waiting.len() + LENGTH_BYTES + bytes.len() > CHUNK_BYTES {
            self.write_chunk()?;
        }
        self.waiting.extend(length.to_le_bytes());
        self.waiting.extend(bytes);
        self.waiting_records += 1;
        self.trailer = Trailer { count: self.trailer.count + 1, head };
        Ok(())
    }

    /// Writes what is left and the trailer, and hands back what was written to.
    pub fn finish(mut self) -> io::Result<(W, Trailer)> {
        self.write_chunk()?;
        self.write_part(&[&self.trailer.encode()])?;
        self.out.flush()?;
        Ok((self.out, self.trailer))
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        if self.waiting_records == 0 {
            return Ok(());
        }
        let records = std::mem::take(&mut self.waiting);
        let length = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let mut start = [0; CHUNK_HEADER_BYTES];
        start[..4].copy_from_slice(CHUNK_MAGIC);
        start[4..8].copy_from_slice(&self.waiting_records.to_le_bytes());
        start[8..].copy_from_slice(&length.to_le_bytes());
        self.write_part(&[&start, &records])?;
        self.waiting = records;
        self.waiting.clear();
        self.waiting_records = 0;
        Ok(())
    }

    fn write_part(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.last = checksum(&self.last, parts);
        parts.iter().try_for_each(|part| self.out.write_all(part))?;
        self.out.write_all(&self.last)
    }
}
