//! The anchor: a small file that holds the last durable `(seq, hash)` of the log.
//!
//! A prefix of a hash chain is itself a valid chain, so the log alone cannot show that its end was lost. The anchor
//! stands outside of it, and a log below its anchor is refused. Two slots are written in turn, each with a checksum,
//! so that a write that is cut off by a power failure leaves the other one whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tagstone_schema::{Head, RecordHash, Timestamp};

use super::directory::sync_directory;

const MAGIC: &[u8; 8] = b"TAGANCHR";
const VERSION: u32 = 1;
const SLOT_BYTES: usize = 512;
/// The slots lie in different blocks of any file system, so one torn write cannot reach both.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
/// Magic, version, a reserved word, seq, hash, time.
const PAYLOAD_BYTES: usize = 8 + 4 + 4 + 8 + 32 + 8;

/// The anchor file of a log that is being written.
#[derive(Debug)]
pub struct Anchor {
    file: File,
    head: Head,
    /// The slot that does not hold the newest head.
    next_slot: usize,
}

/// Why there is no anchor to be read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file does not exist.
    #[error("the anchor file {} is missing", .0.display())]
    Missing(PathBuf),
    /// Neither slot is whole.
    #[error("the anchor file {} is damaged: neither of its slots has a valid checksum", .0.display())]
    Damaged(PathBuf),
    /// It could not be read or written.
    #[error("the anchor file {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Anchor {
    /// Writes a new anchor file, durably, in place of whatever is there.
    pub fn create(path: &Path, head: Head) -> Result<Self, AnchorError> {
        let failed = |source| AnchorError::Io { path: path.to_owned(), source };
        let fresh = path.with_extension("new");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh).map_err(failed)?;
        file.set_len(SLOT_OFFSETS[1] + SLOT_BYTES as u64).map_err(failed)?;
        // Both slots are written in full: later writes in place then change no metadata, and their sync is short.
        for offset in SLOT_OFFSETS {
            file.write_all_at(&encode(&head), offset).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        std::fs::rename(&fresh, path).map_err(failed)?;
        sync_directory(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        Ok(Self { file, head, next_slot: 1 })
    }

    /// Opens an anchor file for writing.
    pub fn open(path: &Path) -> Result<Self, AnchorError> {
        let failed = |source| AnchorError::Io { path: path.to_owned(), source };
        let (head, newest) = read_slots(path)?;
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        Ok(Self { file, head, next_slot: 1 - newest })
    }

    /// The head that the file holds.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Moves the anchor; durable when it returns.
    pub fn move_to(&mut self, head: Head) -> io::Result<()> {
        self.file.write_all_at(&encode(&head), SLOT_OFFSETS[self.next_slot])?;
        self.file.sync_data()?;
        self.next_slot = 1 - self.next_slot;
        self.head = head;
        Ok(())
    }
}

/// The head that an anchor file holds; the file is only read.
pub fn read(path: &Path) -> Result<Head, AnchorError> {
    read_slots(path).map(|(head, _)| head)
}

fn read_slots(path: &Path) -> Result<(Head, usize), AnchorError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => AnchorError::Missing(path.to_owned()),
        _ => AnchorError::Io { path: path.to_owned(), source },
    };
    let bytes = std::fs::read(path).map_err(failed)?;
    let slot = |index: usize| {
        let start = usize::try_from(SLOT_OFFSETS[index]).ok()?;
        bytes.get(start..start + SLOT_BYTES).and_then(decode)
    };
    match (slot(0), slot(1)) {
        (Some(first), Some(second)) if second.seq > first.seq => Ok((second, 1)),
        (Some(first), _) => Ok((first, 0)),
        (None, Some(second)) => Ok((second, 1)),
        (None, None) => Err(AnchorError::Damaged(path.to_owned())),
    }
}

fn encode(head: &Head) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let fields: [&[u8]; 6] =
        [MAGIC, &VERSION.to_le_bytes(), &[0; 4], &head.seq.to_le_bytes(), &head.hash.0, &head.time.0.to_le_bytes()];
    let payload = fields.concat();
    slot[..PAYLOAD_BYTES].copy_from_slice(&payload);
    slot[PAYLOAD_BYTES..PAYLOAD_BYTES + 32].copy_from_slice(blake3::hash(&payload).as_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<Head> {
    let (payload, rest) = slot.split_at_checked(PAYLOAD_BYTES)?;
    let checksum = rest.first_chunk::<32>()?;
    let known = payload.starts_with(MAGIC) && payload[8..12] == VERSION.to_le_bytes();
    if !known || blake3::hash(payload).as_bytes() != checksum {
        return None;
    }
    Some(Head {
        seq: u64::from_le_bytes(*payload[16..].first_chunk()?),
        hash: RecordHash(*payload[24..].first_chunk()?),
        time: Timestamp(i64::from_le_bytes(*payload[56..].first_chunk()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, hash: RecordHash([u8::try_from(seq).unwrap(); 32]), time: Timestamp(seq.cast_signed()) }
    }

    #[test]
    fn the_newest_slot_counts_and_a_torn_write_falls_back_to_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor");
        let mut anchor = Anchor::create(&path, head(0)).unwrap();
        for seq in 1..=7 {
            anchor.move_to(head(seq)).unwrap();
            assert_eq!(read(&path).unwrap(), head(seq));
            let whole = std::fs::read(&path).unwrap();
            for torn_at in 0..SLOT_BYTES {
                let mut torn = whole.clone();
                let start = usize::try_from(SLOT_OFFSETS[1 - anchor.next_slot]).unwrap();
                torn[start + torn_at] ^= 0x40;
                std::fs::write(&path, &torn).unwrap();
                let expected = if torn_at < PAYLOAD_BYTES + 32 { head(seq - 1) } else { head(seq) };
                assert_eq!(read(&path).unwrap(), expected, "byte {torn_at} of the slot of {seq}");
            }
            std::fs::write(&path, &whole).unwrap();
            anchor = Anchor::open(&path).unwrap();
        }
    }

    #[test]
    fn a_missing_and_a_damaged_anchor_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchor");
        assert!(matches!(read(&path), Err(AnchorError::Missing(_))));
        std::fs::write(&path, vec![0; 8192]).unwrap();
        assert!(matches!(read(&path), Err(AnchorError::Damaged(_))));
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(Anchor::open(&path), Err(AnchorError::Damaged(_))));
    }
}
