//! Reading a log while its one writer appends to it.

use tagstone_schema::Seq;

use super::RecordBytes;
use super::tree::RecordTree;

/// A way to the records of an open log. It keeps the log's files open.
///
/// What stands behind the published head may not be durable yet: whoever reads stops at a head that was published.
#[derive(Clone)]
pub struct RecordReader(RecordTree);

impl RecordReader {
    pub(super) fn new(tree: RecordTree) -> Self {
        Self(tree)
    }

    /// Takes the beginning of a record out of the log.
    #[cfg(test)]
    pub(crate) fn lose(&self, seq: Seq) {
        self.0.tree_for_tests().remove(super::pages::first_key(seq)).unwrap();
    }

    /// The stored bytes of the records from `from` on, in order. Nothing about them is verified.
    pub fn read(&self, from: Seq) -> RecordBytes<'_> {
        self.0.read(from)
    }
}
