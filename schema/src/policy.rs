//! Policies: which tags are immutable, which are pruned.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{hex, unhex};
use crate::name::{Namespace, RepositoryName};

/// The id of a policy, of an access token or of a log: 16 bytes, printed as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// A random id (UUID version 4, RFC 9562) from 16 random bytes.
    pub fn from_random(mut raw: [u8; 16]) -> Self {
        raw[6] = raw[6] & 0x0f | 0x40;
        raw[8] = raw[8] & 0x3f | 0x80;
        Self(raw)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = hex(&self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID in lower-case hex, such as 7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
pub struct IdError;

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let dashes = [8, 13, 18, 23];
        if text.len() != 36 || !text.is_ascii() || dashes.iter().any(|at| text.as_bytes()[*at] != b'-') {
            return Err(IdError);
        }
        let digits: String = text.split('-').collect();
        unhex(&digits).map(Self).ok_or(IdError)
    }
}

/// A UUID text in formats for people; 16 raw bytes, without a length, in records.
impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(deserializer).map(Self)
        }
    }
}

/// Where a policy holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everywhere.
    Registry,
    /// In every repository below a namespace.
    Namespace(Namespace),
    /// In one repository.
    Repository(RepositoryName),
}

impl Scope {
    /// Whether the scope contains the repository.
    pub fn contains(&self, repository: &RepositoryName) -> bool {
        match self {
            Self::Registry => true,
            Self::Namespace(namespace) => namespace.contains(repository),
            Self::Repository(only) => only == repository,
        }
    }
}

/// What a policy demands of the tags in its scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Tags that the pattern selects are immutable.
    Immutability {
        /// The selection.
        pattern: Pattern,
        /// Whether tags that exist for referrers (`sha256-<hex>…`) are protected as well.
        include_referrer_tags: bool,
    },
    /// Tags that the pattern selects are pruned.
    Prune {
        /// Which of them go.
        method: PruneMethod,
        /// The selection; none is every tag.
        pattern: Option<Pattern>,
    },
}

impl Rule {
    /// The selection of tags; none is every tag.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Immutability { pattern, .. } => Some(pattern),
            Self::Prune { pattern, .. } => pattern.as_ref(),
        }
    }
}

/// A selection of tags: a regular expression that matches the full name, or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The expression, in the syntax of the `regex` crate.
    pub regex: String,
    /// `true` selects the names that match, `false` those that do not.
    pub matches: bool,
}

/// Which of the selected tags a prune policy removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneMethod {
    /// All but the newest so many.
    NumberOfTags(u64),
    /// Those that were created longer ago than this.
    CreationDate(Age),
}

/// A duration as an operator wrote it, such as `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Age {
    /// How many of the unit.
    pub count: u32,
    /// The unit.
    pub unit: AgeUnit,
}

/// The unit of an [`Age`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeUnit {
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
    /// `w`
    Weeks,
    /// `y`, of 365 days
    Years,
}

impl AgeUnit {
    const ALL: [Self; 6] = [Self::Seconds, Self::Minutes, Self::Hours, Self::Days, Self::Weeks, Self::Years];

    fn letter(self) -> char {
        match self {
            Self::Seconds => 's',
            Self::Minutes => 'm',
            Self::Hours => 'h',
            Self::Days => 'd',
            Self::Weeks => 'w',
            Self::Years => 'y',
        }
    }
}

/// As an operator writes it, such as `7d`.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.letter())
    }
}

/// The text is no age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an age is a number from 1 to {} and one of the units s, m, h, d, w and y, such as 7d", u32::MAX)]
pub struct AgeError;

impl FromStr for Age {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let parsed = AgeUnit::ALL.into_iter().find_map(|unit| Some((text.strip_suffix(unit.letter())?, unit)));
        let (digits, unit) = parsed.filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit())).ok_or(AgeError)?;
        let count = digits.parse().map_err(|_| AgeError)?;
        if count == 0 { Err(AgeError) } else { Ok(Self { count, unit }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        for (text, count, unit) in [
            ("1s", 1, AgeUnit::Seconds),
            ("90m", 90, AgeUnit::Minutes),
            ("24h", 24, AgeUnit::Hours),
            ("7d", 7, AgeUnit::Days),
            ("2w", 2, AgeUnit::Weeks),
            ("4294967295y", u32::MAX, AgeUnit::Years),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age, Age { count, unit });
            assert_eq!(age.to_string(), text);
        }
        for bad in ["", "d", "7", "0d", "-1d", "+1d", "7 d", " 7d", "7d ", "7D", "1.5d", "4294967296y", "7days", "٣d"]
        {
            assert_eq!(bad.parse::<Age>(), Err(AgeError), "{bad:?}");
        }
    }
}
