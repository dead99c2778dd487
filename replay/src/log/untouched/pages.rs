//! Where the pages of sled's tables lie in its file: what sled works out when it opens it, step by step.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use super::bytes::Bytes;
use super::segment::{Header, Kind, Message, Next, SEGMENT_LSN, Segment};

/// More than any log has: whatever the bytes are, this fits into memory.
const MOST_PLACES: usize = 64_000_000;

/// Nobody ever writes so much; there is room to count on.
const MOST_LSN: i64 = i64::MAX / 2;

/// Where a message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) lsn: i64,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Where a page lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// All of it as it was once, and what was changed since, in this order.
    Present(Place, Vec<Place>),
    Free,
}

/// All pages of a file.
#[derive(Default)]
pub(super) struct Pages {
    pages: HashMap<u64, Page, foldhash::fast::RandomState>,
    /// For so many pages sled makes room: also for those before one of which it knows only that it was changed.
    numbered: u64,
    places: usize,
    /// What was written before is known from sled's snapshot.
    stable: Option<i64>,
}

impl Pages {
    /// Where they lie in a file; `snapshot` is what sled has noted of that, when it was last opened. None where anything is not as it
    /// is in the file of a registry that was stopped: what sled makes of it, sled is to say.
    pub(super) fn of(file: &File, snapshot: Option<&Path>) -> Option<Self> {
        let mut pages = match snapshot {
            Some(path) => Self::noted(&std::fs::read(path).ok()?)?,
            None => Self::default(),
        };
        let from = pages.stable.unwrap_or(0) / SEGMENT_LSN * SEGMENT_LSN;
        let headers = Header::all(file).ok()?;
        let (mut segments, mut stable) = (BTreeMap::new(), from);
        for (offset, header) in &headers {
            if header.lsn < from {
                continue;
            }
            stable = stable.max(header.stable);
            let doubled = segments.insert(header.lsn, *offset).is_some();
            if doubled || header.lsn % SEGMENT_LSN != 0 || header.lsn > MOST_LSN {
                return None;
            }
        }
        let end = end_of(file, &segments, stable / SEGMENT_LSN * SEGMENT_LSN)?;
        // Less is whole than the snapshot was made of: sled does not open such a file.
        if pages.stable.is_some_and(|stable| end < stable) {
            return None;
        }
        pages.advance(file, &segments, end)?;
        // Pages are numbered without gaps; sled gives up where one is not known.
        let count = pages.pages.len() as u64;
        let whole = pages.numbered == count && (0..count).all(|page| pages.pages.contains_key(&page));
        (whole && pages.lie_in(&headers)).then_some(pages)
    }

    /// A page that is there.
    pub(super) fn get(&self, page: u64) -> Option<(&Place, &[Place])> {
        match self.pages.get(&page)? {
            Page::Present(base, changes) => Some((base, changes)),
            Page::Free => None,
        }
    }

    /// Whether each message lies in the segment that it was written to. Where that is another one by now, sled may overwrite it as
    /// soon as it opens the file.
    fn lie_in(&self, headers: &[(u64, Header)]) -> bool {
        let begins: HashMap<_, _, foldhash::fast::RandomState> =
            headers.iter().map(|(offset, header)| (*offset, header.lsn)).collect();
        self.pages.values().all(|page| match page {
            Page::Present(base, changes) => std::iter::once(base).chain(changes).all(|place| {
                let within = place.lsn.rem_euclid(SEGMENT_LSN);
                let begin = place.offset.checked_sub(within.cast_unsigned()).and_then(|begin| begins.get(&begin));
                begin.is_some_and(|begin| *begin == place.lsn - within)
            }),
            Page::Free => true,
        })
    }

    /// What a snapshot of sled says.
    fn noted(bytes: &[u8]) -> Option<Self> {
        let (rest, end) = bytes.split_last_chunk::<12>()?;
        let (length, checksum) = end.split_at(8);
        if length != (rest.len() as u64).to_le_bytes() || checksum != crc32fast::hash(rest).to_le_bytes() {
            return None;
        }
        let mut rest = Bytes(rest);
        let stable = rest.i64().filter(|stable| *stable > 0)? - 1;
        rest.number()?;
        let mut pages = Self { stable: Some(stable), ..Self::default() };
        for page in 0.. {
            if rest.is_empty() {
                break;
            }
            let found = match rest.byte()? {
                0 => {
                    rest.i64()?;
                    offset_of(&mut rest)?;
                    Page::Free
                }
                places => {
                    let (base, changes) = (place_of(&mut rest)?, (1..places).map(|_| place_of(&mut rest)));
                    Page::Present(base, changes.collect::<Option<_>>()?)
                }
            };
            pages.insert(page, found);
        }
        Some(pages)
    }

    /// Goes through what was written since, up to the last whole message.
    fn advance(&mut self, file: &File, segments: &BTreeMap<i64, u64>, end: i64) -> Option<()> {
        let mut segment = Segment::new();
        for (&lsn, &offset) in segments {
            if lsn >= end {
                // Behind a tear sled throws away what is there.
                return None;
            }
            segment.load(file, offset, lsn).ok()?;
            loop {
                if segment.lsn() >= end {
                    break;
                }
                match segment.next() {
                    Next::End => break,
                    Next::Torn => return None,
                    Next::Message { message, lsn, offset } => self.apply(&message, lsn, offset, end)?,
                }
            }
        }
        Some(())
    }

    fn apply(&mut self, message: &Message<'_>, lsn: i64, offset: u64, end: i64) -> Option<()> {
        let place = Place { lsn, offset, length: u32::try_from(message.length).ok()? };
        let is_known = self.stable.is_some_and(|stable| lsn < stable);
        self.places += 1;
        match message.kind {
            _ if self.places > MOST_PLACES => return None,
            Kind::Outside => return None,
            Kind::Canceled | Kind::Cap => {}
            // Of a batch all is there, or nothing counts from there on.
            Kind::Batch => {
                let last = <[u8; 8]>::try_from(message.body).map(i64::from_le_bytes).ok()?;
                return (last < end).then_some(());
            }
            _ if is_known => {}
            Kind::Free => self.insert(message.page, Page::Free),
            Kind::Counter | Kind::Meta | Kind::Node => self.insert(message.page, Page::Present(place, Vec::new())),
            Kind::Link => match self.pages.get_mut(&message.page) {
                Some(Page::Present(base, changes)) => {
                    if changes.last().unwrap_or(base).lsn < lsn {
                        changes.push(place);
                    }
                }
                // A page that was written anew elsewhere has its changes behind it; those before are left over.
                _ => self.numbered = self.numbered.max(message.page),
            },
        }
        Some(())
    }

    fn insert(&mut self, number: u64, page: Page) {
        self.pages.insert(number, page);
        self.numbered = self.numbered.max(number.saturating_add(1));
    }
}

/// Where the last whole message ends, of those that follow one another from the segment at `from` on.
fn end_of(file: &File, segments: &BTreeMap<i64, u64>, from: i64) -> Option<i64> {
    let mut segment = Segment::new();
    let (mut end, mut expected) = (0, from);
    for (&lsn, &offset) in segments.range(from..) {
        if lsn != expected {
            return None;
        }
        expected += SEGMENT_LSN;
        segment.load(file, offset, lsn).ok()?;
        loop {
            match segment.next() {
                Next::Message { .. } => {}
                Next::End => break,
                Next::Torn => return Some(segment.lsn()),
            }
        }
        end = segment.lsn();
    }
    Some(end)
}

fn place_of(bytes: &mut Bytes<'_>) -> Option<Place> {
    Some(Place { lsn: bytes.i64()?, offset: offset_of(bytes)?, length: u32::try_from(bytes.number()?).ok()? })
}

/// Where something lies in the file; none of what lies outside.
fn offset_of(bytes: &mut Bytes<'_>) -> Option<u64> {
    if bytes.byte()? == 0 { bytes.number() } else { None }
}
