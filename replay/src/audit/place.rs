//! Where an event stands in the log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tagstone_schema::Seq;

/// The place of an event: its record, and its place among the events of that record, the derived ones too, from 0. Places
/// are ordered as things happened. The text is `<seq>.<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The seq of the record.
    pub seq: Seq,
    /// The place in it.
    pub index: u32,
}

impl Place {
    /// The first place of a record.
    pub fn first_of(seq: Seq) -> Self {
        Self { seq, index: 0 }
    }

    /// The last place of a record, whether or not an event stands there.
    pub fn last_of(seq: Seq) -> Self {
        Self { seq, index: u32::MAX }
    }

    /// The place that follows.
    pub fn next(self) -> Self {
        match self.index.checked_add(1) {
            Some(index) => Self { index, ..self },
            None => Self::first_of(self.seq.saturating_add(1)),
        }
    }

    /// The place before; none before the first of all.
    pub fn previous(self) -> Option<Self> {
        match self.index.checked_sub(1) {
            Some(index) => Some(Self { index, ..self }),
            None => self.seq.checked_sub(1).map(Self::last_of),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.index)
    }
}

/// The text is no `<seq>.<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the place of an event is written SEQ.INDEX, such as 1234.0")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (seq, index) =
            text.split_once('.').filter(|(seq, index)| is_number(seq) && is_number(index)).ok_or(PlaceError)?;
        Ok(Self { seq: seq.parse().map_err(|_| PlaceError)?, index: index.parse().map_err(|_| PlaceError)? })
    }
}
