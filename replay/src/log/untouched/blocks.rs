//! The messages of a page, which may lie anywhere in the file.

use std::fs::File;
use std::ops::Range;

use super::pages::Place;
use super::segment::{Kind, Message, SEGMENT, read_at};

/// What is read at once, and how much of it is kept. Most pages lie one behind the other; those that many records written together
/// have filled lie as far apart as these take room.
const BLOCK: usize = 64 * 1024;
const BLOCKS: usize = 512;

/// More than any page takes.
const MOST_BYTES: usize = 64 * SEGMENT;

/// The messages that were read last.
#[derive(Default)]
pub(super) struct Messages {
    blocks: Vec<Block>,
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

#[derive(Clone, Default)]
struct Block {
    number: u64,
    bytes: Vec<u8>,
}

impl Messages {
    /// Reads all that lies at these places, in place of what was read before.
    pub(super) fn read<'a>(&mut self, file: &File, places: impl IntoIterator<Item = &'a Place>) -> Option<()> {
        self.bytes.clear();
        self.places.clear();
        for place in places {
            let begin = self.bytes.len();
            let length = usize::try_from(place.length).ok()?;
            if length > SEGMENT || begin + length > MOST_BYTES {
                return None;
            }
            while self.bytes.len() < begin + length {
                let at = place.offset.checked_add((self.bytes.len() - begin) as u64)?;
                let block = Block::of(&mut self.blocks, file, at / BLOCK as u64)?;
                let found = block.bytes.get(usize::try_from(at % BLOCK as u64).ok()?..)?;
                let missing = begin + length - self.bytes.len();
                self.bytes.extend_from_slice(&found[..found.len().min(missing)]);
                if found.is_empty() {
                    return None;
                }
            }
            self.places.push(begin..begin + length);
        }
        Some(())
    }

    /// The body of a message that was read, if it is of this kind and page.
    pub(super) fn body(&self, at: usize, page: u64, kind: Kind, place: &Place) -> Option<&[u8]> {
        let bytes = &self.bytes[self.places.get(at)?.clone()];
        let room = SEGMENT - usize::try_from(place.offset % SEGMENT as u64).ok()?;
        let number = place.lsn.cast_unsigned() / SEGMENT as u64;
        let message = Message::of(bytes, room, number)?;
        let is_it = message.kind == kind && message.page == page && message.length == bytes.len();
        is_it.then_some(message.body)
    }
}

impl Block {
    /// The block with this number, read if it is not there.
    fn of<'a>(blocks: &'a mut Vec<Self>, file: &File, number: u64) -> Option<&'a Self> {
        let slot = usize::try_from(number % BLOCKS as u64).ok()?;
        if blocks.len() <= slot {
            blocks.resize(slot + 1, Self::default());
        }
        let block = &mut blocks[slot];
        if block.number != number || block.bytes.is_empty() {
            block.bytes.resize(BLOCK, 0);
            let filled = read_at(file, &mut block.bytes, number.checked_mul(BLOCK as u64)?).ok()?;
            block.bytes.truncate(filled);
            block.number = number;
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn what_lies_as_far_apart_as_blocks_are_kept_is_not_taken_for_one_another() {
        let file = tempfile::tempfile().unwrap();
        let far = (BLOCK * BLOCKS) as u64;
        let mut messages = Messages::default();
        let bytes = |at: u64| [u8::from(at >= far) + 1; 9];
        let places = [3, far + 3, BLOCK as u64 - 4, far + BLOCK as u64 - 4];
        places.iter().for_each(|at| file.write_all_at(&bytes(*at), *at).unwrap());
        for at in places {
            messages.read(&file, [&Place { lsn: 0, offset: at, length: 9 }]).unwrap();
            assert_eq!(messages.bytes, bytes(at), "{at}");
        }
        assert!(messages.read(&file, [&Place { lsn: 0, offset: far * 2, length: 9 }]).is_none());
    }
}
