//! Where the follower goes on after a start.

use std::path::PathBuf;

use tagstone_replay::audit::index::{AuditIndex, IndexError};
use tagstone_replay::fold::State;
use tagstone_replay::log::RecordReader;
use tagstone_schema::{Head, Record, RecordHash, Seq};

use crate::registry::Snapshot;

/// An index of an open log, with what it takes to go on from there.
pub struct Behind {
    /// The index, or why there is none.
    pub index: Result<AuditIndex, IndexError>,
    /// The log.
    pub records: RecordReader,
    /// The state at the last record of the index; the one before the first record where that is not known.
    pub reached: Snapshot,
}

/// Finds the state that belongs to an index, while the log is folded at a start.
///
/// The fold passes the last record of the index, if it does not begin behind it; there the state is kept, which costs little. If
/// it does not pass, the follower finds the way with a fold of its own.
pub struct Resume {
    directory: PathBuf,
    /// It is opened with the first record: a log that is refused before leaves nothing behind.
    opened: Option<(Result<AuditIndex, IndexError>, Head)>,
    state: Option<State>,
}

impl Resume {
    /// With the index in this directory.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, opened: None, state: None }
    }

    /// Looks at the state before a record.
    pub fn pass(&mut self, state: &mut State, record: &Record) {
        self.compare(state, record.seq.saturating_sub(1), record.prev);
    }

    /// What the follower begins with: the log has been folded to its end.
    pub fn finish(mut self, state: &mut State, head: Head, records: RecordReader) -> Behind {
        self.compare(state, head.seq, head.hash);
        let (mut index, at) = self.opened.unwrap_or_else(|| open(&self.directory));
        if at.seq > head.seq {
            index = emptied(index);
        }
        let reached = match self.state {
            Some(state) if at.seq <= head.seq => Snapshot { state, head: at },
            _ => Snapshot::default(),
        };
        Behind { index, records, reached }
    }

    fn compare(&mut self, state: &mut State, seq: Seq, hash: RecordHash) {
        let (index, at) = self.opened.get_or_insert_with(|| open(&self.directory));
        // The state before the first record is none to be kept, and the fold is faster while it shares nothing.
        if at.seq != seq || seq == 0 {
            return;
        }
        if at.hash != hash {
            // It is of another log, and this one has nothing in the index.
            let of_another = std::mem::replace(index, Ok(AuditIndex::default()));
            (*index, *at) = (emptied(of_another), Head::default());
            self.state = Some(State::default());
            return;
        }
        // From here on there are two of it.
        state.share();
        self.state.get_or_insert_with(|| state.clone());
    }
}

fn open(directory: &std::path::Path) -> (Result<AuditIndex, IndexError>, Head) {
    let index = AuditIndex::open(directory);
    let at = index.as_ref().map(AuditIndex::reached).unwrap_or_default();
    (index, at)
}

fn emptied(index: Result<AuditIndex, IndexError>) -> Result<AuditIndex, IndexError> {
    index.and_then(|index| index.clear().map(|()| index))
}
