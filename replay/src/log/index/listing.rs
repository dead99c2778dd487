//! Reading the index: intervals, the newest first.

use tagstone_schema::{RepositoryName, Tag};

use super::interval::{Stay, decoded};
use super::store::calling;
use super::{IndexError, Interval, Place, TagIndex, keys};

/// Which intervals are gone through.
#[derive(Clone, Copy, Debug)]
pub enum Walk<'a> {
    /// All of a repository.
    Repository,
    /// Those of a repository that have no end.
    Live,
    /// All of one tag.
    Tag(&'a Tag),
}

/// A part of a list of intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The intervals.
    pub intervals: Vec<Interval>,
    /// Whether there is more behind them, as far as was looked.
    pub has_more: bool,
    /// Whether the end was not reached because enough entries had been looked at.
    pub is_cut_off: bool,
}

impl TagIndex {
    /// The intervals that are wanted, newest first: those behind the first `skip`, at most `take`. It looks at no more than
    /// `most` entries, and reads only those that it returns.
    pub fn list(
        &self,
        repository: &RepositoryName,
        walk: Walk<'_>,
        mut wanted: impl FnMut(&Tag, Place) -> bool,
        (skip, take): (usize, usize),
        most: usize,
    ) -> Result<Listed, IndexError> {
        let prefix = match walk {
            Walk::Repository => keys::of_repository(repository),
            Walk::Live => keys::of_live(repository),
            Walk::Tag(tag) => keys::of_tag(repository, tag),
        };
        let mut listed = Listed { intervals: Vec::new(), has_more: false, is_cut_off: false };
        let (mut entries, mut skipped) = (self.tree.scan_prefix(&prefix), 0);
        for looked_at in 0.. {
            let Some((key, value)) = calling("reading", || entries.next().transpose())? else { break };
            if looked_at == most {
                (listed.has_more, listed.is_cut_off) = (true, true);
                break;
            }
            let start = keys::place(&key).ok_or_else(|| IndexError::new("reading", &"a key is too short"))?;
            let tag = match walk {
                Walk::Tag(tag) => tag.clone(),
                Walk::Repository | Walk::Live => named(&value)?,
            };
            if !wanted(&tag, start) {
                continue;
            }
            if skipped < skip {
                skipped += 1;
                continue;
            }
            if listed.intervals.len() == take {
                listed.has_more = true;
                break;
            }
            let stay = match walk {
                Walk::Tag(_) => Some(decoded(&value)?),
                Walk::Repository | Walk::Live => self.stay(repository, &tag, start)?,
            };
            let stay = stay.ok_or_else(|| IndexError::new("reading", &"an interval is missing"))?;
            listed.intervals.push(Interval { tag, start, stay });
        }
        Ok(listed)
    }

    /// Whether any tag of a repository ever pointed anywhere.
    pub fn knows(&self, repository: &RepositoryName) -> Result<bool, IndexError> {
        let prefix = keys::of_repository(repository);
        calling("reading", || self.tree.scan_prefix(prefix).next().transpose()).map(|first| first.is_some())
    }

    fn stay(&self, repository: &RepositoryName, tag: &Tag, start: Place) -> Result<Option<Stay>, IndexError> {
        let stored = self.get(&keys::at(keys::of_tag(repository, tag), start))?;
        stored.map(|bytes| decoded(&bytes)).transpose()
    }
}

fn named(value: &[u8]) -> Result<Tag, IndexError> {
    let text = str::from_utf8(value).map_err(|error| IndexError::new("reading", &error))?;
    text.parse().map_err(|error| IndexError::new("reading", &error))
}
