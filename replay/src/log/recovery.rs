//! Accepting a log whose anchor is lost, or names records that are lost.

use tagstone_schema::{Head, Position};

use super::ahead::Ahead;
use super::anchor::{self, Anchor};
use super::chain::{Broken, BrokenWhy};
use super::embedded::made_durable;
use super::open_error::OpenError;
use super::tree::{Options, RecordTree};
use crate::content::Layout;

/// What a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its last sound record.
    pub head: Head,
    /// Whether its anchor was sound, and named this record or one before it: then nothing was lost, and a server starts on it.
    pub holds_anchor: bool,
}

/// Writes a new anchor for a log whose old one is lost or above it, after an operator has named its head.
///
/// Returns the head that was found; with `accept` naming exactly that head, the anchor is written. What stands behind
/// the head is not sound, and the next start cuts it off. A log that cannot be read to its end is an error, and is left as it is.
pub fn recover(layout: &Layout, accept: Option<Position>) -> Result<Recovered, OpenError> {
    let anchor = anchor::read(&layout.anchor()).ok();
    let mut holds_anchor = anchor == Some(Head::default());
    let tree = RecordTree::open(&layout.log(), Options::default())?;
    let mut ahead = Ahead::of(tree.read(1), Head::default()).with_end(anchor);
    for sound in ahead.by_ref().flatten() {
        holds_anchor |= anchor == Some(sound.head);
    }
    let head = ahead.head();
    // What cannot be read cannot be cut off either: with the anchor below it, no start would come to anything.
    if let Some(Broken { why: BrokenWhy::Unreadable(why), .. }) = ahead.broken() {
        return Err(OpenError::Unusable { path: layout.log(), why });
    }
    if accept == Some(Position { seq: head.seq, hash: head.hash }) {
        // What was read may be in the page cache only: an anchor that is durable before it names what a loss of power
        // then takes away.
        made_durable(layout, &tree)?;
        Anchor::create(&layout.anchor(), head).map_err(|source| OpenError::Anchor { source })?;
    }
    Ok(Recovered { head, holds_anchor })
}
