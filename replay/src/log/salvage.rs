//! Records read past sled, from the bytes of its data file, where sled cannot read them any more.
//!
//! Nothing of sled's own structure is needed: a record is found by how it begins, its length is told by its decoding, and
//! its place by its seq. sled keeps a value in one piece (it is built without compression), often several times; the pieces of
//! a record above 4 KiB lie one behind the other in a leaf, or each behind its key. Nothing that is found is believed for its
//! looks: a record counts if the hash of its bytes is named by what is left of the next one, or by the anchor.
//!
//! Known weakness: of a record above 4 KiB whose pieces lie in several leaves, and nowhere else, only the first is found.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tagstone_schema::fragment::{Start, first_record};
use tagstone_schema::{Head, RecordHash, Seq, Timestamp};

use super::StoredRecord;
use super::pages::{MOST_PARTS, VALUE_BYTES};

/// The most places that are kept: 16 bytes each, several for each record of any log that there is.
const MOST_PLACES: usize = 1 << 25;

/// The most pieces that are tried to put one record together; the longest has 18.
const MOST_WAYS: usize = 256;

/// Bytes that are searched at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// What a record's beginning is told by: its start, the kind of its actor (4 bytes) and the length of his name (8 bytes).
const SIGN_BYTES: usize = Start::BYTES + 4 + 8;
const MOST_NAME_BYTES: u64 = 1024;

/// More records than any log has.
const MOST_SEQ: Seq = 1 << 40;

/// How sled writes the length of the key of a record's further pieces, and the length of that key with what follows: the
/// length of the value, of at most three bytes.
const PIECE_KEY: u8 = 10;
const PIECE_SIGN_BYTES: usize = 1 + 10 + 3;

/// Where records may lie in a file.
pub(super) struct Salvage {
    file: File,
    /// Where a record with this seq may begin.
    starts: Vec<(Seq, u64)>,
    /// Where the length of a further piece may stand, by the seq and number of the piece.
    pieces: Vec<(Seq, u16, u64)>,
    /// What stands outside of the log about its end.
    anchor: Option<Head>,
}

/// Why no more records are found; the later ones say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Missing {
    /// Nothing begins as the next record would.
    Nothing,
    /// Those before it are not whole, and it is known by them.
    Before,
    /// What begins as it would is damaged.
    Unsound,
    /// It continues another record.
    Follows,
    /// It could be the next record, but nothing proves its bytes.
    Unproved,
    /// It could be the next record, but whatever names its hash names another one.
    Altered,
    /// The file cannot be read.
    Unreadable,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "no trace of it is found in the bytes of the file",
            Self::Before => "what stands before it is not whole, and it is looked for behind that",
            Self::Unsound => "what is found of it in the bytes of the file is damaged or not all of it",
            Self::Follows => "what is found of it in the bytes of the file follows another record",
            Self::Unproved => "it is found in the bytes of the file, but no record behind it is left that proves them",
            Self::Altered => {
                "what is found of it in the bytes of the file does not have the hash that the next record or the anchor names"
            }
            Self::Unreadable => "the file cannot be read",
        })
    }
}

impl Salvage {
    /// Searches a file, from its beginning to its end.
    pub(super) fn of(path: &Path, anchor: Option<Head>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut starts, mut pieces) = (Vec::new(), Vec::new());
        // The end of a window is searched again with the next one.
        let (mut window, mut base) = (Vec::with_capacity(WINDOW_BYTES + SIGN_BYTES), 0);
        loop {
            let read = (&mut file).take(WINDOW_BYTES as u64).read_to_end(&mut window)?;
            let searched = if read == 0 { window.len() } else { window.len().saturating_sub(SIGN_BYTES) };
            for at in 0..searched {
                let (rest, place) = (&window[at..], base + at as u64);
                match rest {
                    [1, 0, ..] => starts.extend(start_in(rest).map(|start| (start.seq, place))),
                    [PIECE_KEY, 0, ..] => pieces.extend(piece_in(rest).map(|(seq, part)| (seq, part, place + 11))),
                    _ => {}
                }
            }
            if read == 0 || starts.len() + pieces.len() > MOST_PLACES {
                break;
            }
            window.drain(..searched);
            base += searched as u64;
        }
        starts.sort_unstable();
        pieces.sort_unstable();
        Ok(Self { file, starts, pieces, anchor })
    }

    /// The record that follows `head`.
    pub(super) fn next(&self, head: &Head) -> Result<(StoredRecord, Head), Missing> {
        let seq = head.seq + 1;
        let mut missing = Missing::Nothing;
        let named = self.hashes_named_of(seq)?;
        for place in self.places(seq) {
            missing = missing.max(Missing::Unsound);
            let Some(start) = self.start_at(place)? else { continue };
            if start.prev != head.hash {
                missing = missing.max(Missing::Follows);
                continue;
            }
            if head.seq > 0 && start.time <= head.time {
                continue;
            }
            for (bytes, time) in self.records_at(seq, place)? {
                let hash = RecordHash::of(&bytes);
                if named.contains(&hash) {
                    return Ok((StoredRecord { seq, bytes }, Head { seq, hash, time }));
                }
                missing = missing.max(if named.is_empty() { Missing::Unproved } else { Missing::Altered });
            }
        }
        Err(missing)
    }

    /// What is named as the hash of a record, by those that may follow it and by the anchor.
    fn hashes_named_of(&self, seq: Seq) -> Result<Vec<RecordHash>, Missing> {
        let anchored = self.anchor.filter(|anchor| anchor.seq == seq).map(|anchor| anchor.hash);
        let mut named: Vec<_> = anchored.into_iter().collect();
        for place in self.places(seq + 1) {
            named.extend(self.start_at(place)?.map(|next| next.prev));
        }
        Ok(named)
    }

    fn places(&self, seq: Seq) -> impl Iterator<Item = u64> {
        let from = self.starts.partition_point(|(found, _)| *found < seq);
        self.starts[from..].iter().take_while(move |(found, _)| *found == seq).map(|(_, place)| *place)
    }

    fn start_at(&self, place: u64) -> Result<Option<Start>, Missing> {
        self.bytes_at(place, Start::BYTES).map(|bytes| Start::of(&bytes))
    }

    /// The records that may begin at a place: one, or for a long one a few ways to put it together.
    fn records_at(&self, seq: Seq, place: u64) -> Result<Vec<(Vec<u8>, Timestamp)>, Missing> {
        let first = self.bytes_at(place, VALUE_BYTES)?;
        if let Ok((record, length)) = first_record(&first) {
            return Ok(vec![(first[..length].to_vec(), record.time)]);
        }
        let mut found = Vec::new();
        if first.len() == VALUE_BYTES {
            let behind = place + VALUE_BYTES as u64;
            self.join(seq, 1, &first, behind, &mut found, &mut 0)?;
        }
        Ok(found)
    }

    /// Puts the piece `part` behind those that are known, in each way that there is, and goes on from there.
    fn join(
        &self,
        seq: Seq,
        part: u16,
        known: &[u8],
        behind: u64,
        found: &mut Vec<(Vec<u8>, Timestamp)>,
        ways: &mut usize,
    ) -> Result<(), Missing> {
        let from = self.pieces.partition_point(|piece| (piece.0, piece.1) < (seq, part));
        let indexed = self.pieces[from..].iter().take_while(|piece| (piece.0, piece.1) == (seq, part));
        let mut tried: Vec<Vec<u8>> = Vec::new();
        for place in std::iter::once(behind).chain(indexed.map(|piece| piece.2)) {
            let Some((piece, end)) = self.piece_at(place)? else { continue };
            if *ways == MOST_WAYS || tried.contains(&piece) {
                continue;
            }
            *ways += 1;
            let joined = [known, &piece].concat();
            match first_record(&joined) {
                Ok((record, length)) if length == joined.len() => found.push((joined, record.time)),
                Err(_) if piece.len() == VALUE_BYTES && part < MOST_PARTS => {
                    self.join(seq, part + 1, &joined, end, found, ways)?;
                }
                _ => {}
            }
            tried.push(piece);
        }
        Ok(())
    }

    /// The piece whose length stands at a place, and where it ends.
    fn piece_at(&self, place: u64) -> Result<Option<(Vec<u8>, u64)>, Missing> {
        let Some((length, width)) = length_in(&self.bytes_at(place, 3)?) else { return Ok(None) };
        let begin = place + width;
        let bytes = self.bytes_at(begin, length)?;
        Ok((bytes.len() == length).then(|| (bytes, begin + length as u64)))
    }

    /// So many bytes of the file, or fewer at its end.
    fn bytes_at(&self, place: u64, count: usize) -> Result<Vec<u8>, Missing> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match self.file.read_at(&mut bytes[filled..], place.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Missing::Unreadable),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// The start of a record that these bytes may begin with.
fn start_in(bytes: &[u8]) -> Option<Start> {
    let sign = bytes.get(..SIGN_BYTES)?;
    let kind = u32::from_le_bytes(*sign[Start::BYTES..].first_chunk()?);
    let name_length = u64::from_le_bytes(*sign[Start::BYTES + 4..].first_chunk()?);
    Start::of(sign).filter(|start| start.seq <= MOST_SEQ && kind <= 3 && name_length <= MOST_NAME_BYTES)
}

/// The seq and number of a further piece of a record whose key these bytes may begin with.
fn piece_in(bytes: &[u8]) -> Option<(Seq, u16)> {
    let sign = bytes.get(..PIECE_SIGN_BYTES)?;
    let seq = u64::from_be_bytes(*sign[1..].first_chunk()?);
    let part = u16::from_be_bytes(*sign[9..].first_chunk()?);
    let is_piece = (1..=MOST_SEQ).contains(&seq) && (1..MOST_PARTS).contains(&part);
    length_in(&sign[11..]).filter(|_| is_piece).map(|_| (seq, part))
}

/// A length of a value as sled writes it, and the bytes that it takes (the integers of SQLite 4: up to 240 in one byte, up to
/// 2,287 in two, up to 67,823 in three).
fn length_in(bytes: &[u8]) -> Option<(usize, u64)> {
    let byte = |at: usize| bytes.get(at).map(|byte| usize::from(*byte));
    let (length, width) = match byte(0)? {
        short @ 1..=240 => (short, 1),
        more @ 241..=248 => (240 + 256 * (more - 241) + byte(1)?, 2),
        249 => (2288 + 256 * byte(1)? + byte(2)?, 3),
        _ => return None,
    };
    (length <= VALUE_BYTES).then_some((length, width))
}
