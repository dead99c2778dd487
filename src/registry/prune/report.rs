//! What a prune run has done.

use tagstone_schema::{Digest, Id, RepositoryName, Seq, Tag};

use crate::registry::decide::Spared;

/// What a run has done so far, or would have done.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run, as the records name it.
    pub run: Id,
    /// How many tags the policy's pattern selects, protected ones too.
    pub considered: u64,
    /// What was deleted.
    pub deleted: Listed<PrunedTag>,
    /// What the policy selects and was not deleted all the same.
    pub skipped: Listed<SkippedTag>,
    /// The last record that the run wrote.
    pub seq: Option<Seq>,
    /// Why the run ended before all was done, if it did.
    pub incomplete: Option<String>,
}

impl Report {
    /// An empty report that lists so many tags of each kind at most, and counts the others.
    pub fn new(run: Id, most: usize) -> Self {
        let (deleted, skipped) = (Listed::new(most), Listed::new(most));
        Self { run, considered: 0, deleted, skipped, seq: None, incomplete: None }
    }
}

/// A list whose first entries are kept, and the others counted.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The first entries.
    pub entries: Vec<T>,
    /// How many there are, with those that are not kept.
    pub count: u64,
    most: usize,
}

impl<T> Listed<T> {
    pub(in crate::registry) fn new(most: usize) -> Self {
        Self { entries: Vec::new(), count: 0, most }
    }

    /// How many entries were not kept.
    pub fn more(&self) -> u64 {
        self.count - self.entries.len() as u64
    }

    pub(in crate::registry) fn add(&mut self, entry: impl FnOnce() -> T) {
        self.count += 1;
        if self.entries.len() < self.most {
            self.entries.push(entry());
        }
    }
}

/// A tag that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedTag {
    /// Where.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// Where it pointed.
    pub digest: Digest,
}

/// A tag that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedTag {
    /// Where.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// Why.
    pub why: WhySkipped,
}

/// Why a tag was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhySkipped {
    /// It is protected.
    Immutable,
    /// It moved while the run was under way.
    Moved,
    /// It went while the run was under way.
    Gone,
    /// It exists for referrers of a manifest that a tag holds still.
    SubjectTagged,
}

impl WhySkipped {
    /// The reason as it is reported.
    pub fn code(self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::Moved => "moved",
            Self::Gone => "gone",
            Self::SubjectTagged => "subject_tagged",
        }
    }
}

impl From<Spared> for WhySkipped {
    fn from(spared: Spared) -> Self {
        match spared {
            Spared::Immutable => Self::Immutable,
            Spared::Moved => Self::Moved,
            Spared::Gone => Self::Gone,
            Spared::SubjectTagged => Self::SubjectTagged,
        }
    }
}
