//! Rows of blocks of turns: the turns of one tag lie in a row, and what lies in a row is read at once.

use std::ops::Range;

use super::IndexError;
use super::codes::damaged;
use super::run::Run;
use super::run_file::Piece;
use super::turns::{FirstTurn, TagKey, Turns};
use crate::audit::TagEntry;

/// Blocks of turns that are read at once, at most: 64 KiB, which is a page of a thousand turns and some more.
pub(super) const AT_ONCE: usize = 16;

/// Blocks of turns that a question announces, at most. A page is spread over runs, and takes a part of a block at both ends in each.
pub(super) const ANNOUNCED: usize = 2 * AT_ONCE;

/// Blocks of turns of a run that were read at once.
#[derive(Debug)]
pub(super) struct TurnRow {
    blocks: Range<usize>,
    piece: Piece,
}

impl TurnRow {
    /// Whether a block of the run is in it.
    pub(super) fn has(&self, block: usize) -> bool {
        self.blocks.contains(&block)
    }
}

impl Run {
    /// Reads blocks of turns that lie in a row.
    pub(super) fn turn_row(&self, blocks: Range<usize>) -> Result<TurnRow, IndexError> {
        let (offset, length) = self.lies(&blocks).ok_or_else(|| damaged("blocks of turns are not there"))?;
        let piece = self.noting(self.file.read(offset, length))?;
        Ok(TurnRow { blocks, piece })
    }

    /// Announces that blocks of turns will be read.
    pub(super) fn announce_turns(&self, blocks: &Range<usize>) {
        if let Some((offset, length)) = self.lies(blocks) {
            self.file.announce(offset, length);
        }
    }

    /// The turns of a tag in a block of a row.
    pub(super) fn turns_of(&self, key: TagKey, row: &TurnRow, block: usize) -> Result<Vec<TagEntry>, IndexError> {
        let Some((_, span)) = self.footer.turns.get(block) else { return Ok(Vec::new()) };
        let read = row.piece.block(*span).and_then(|bytes| {
            let all = Turns::new(bytes, self.about());
            // An error has no key, and is kept.
            let until = all.take_while(|turn| turn.as_ref().map_or(true, |(found, _)| *found <= key));
            let of_tag = until.filter(|turn| turn.as_ref().map_or(true, |(found, _)| *found == key));
            of_tag.map(|turn| turn.map(|(_, turn)| turn)).collect()
        });
        self.noting(read)
    }

    /// How many blocks of turns begin with one that is so; all of them stand before the others.
    pub(super) fn turn_blocks(&self, is_so: impl Fn(&FirstTurn) -> bool) -> usize {
        self.footer.turns.partition_point(|(first, _)| is_so(first))
    }

    /// The first turn of a block.
    pub(super) fn first_turn(&self, block: usize) -> Option<&FirstTurn> {
        self.footer.turns.get(block).map(|(first, _)| first)
    }

    /// Where blocks of turns lie, from the first to the last: the place in the file, and how many bytes.
    fn lies(&self, blocks: &Range<usize>) -> Option<(u64, usize)> {
        let blocks = self.footer.turns.get(blocks.clone())?;
        let ((_, first), (_, last)) = (blocks.first()?, blocks.last()?);
        let end = last.offset.checked_add(u64::from(last.length))?;
        Some((first.offset, usize::try_from(end.checked_sub(first.offset)?).ok()?))
    }
}
