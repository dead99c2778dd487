//! Instants, as records keep them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Records are strictly increasing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant that follows `self` at once.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Reads an instant, and where it lies between two microseconds takes the later one: what is before the one is before
    /// the other. [`str::parse`] takes the earlier one.
    pub fn parse_up(text: &str) -> Result<Self, TimestampError> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimestampError(crate::digest::excerpt(text)))?;
        let earlier = Self(instant.as_microsecond());
        Ok(if instant.subsec_nanosecond().rem_euclid(1_000) == 0 || instant.as_nanosecond() < 0 {
            earlier
        } else {
            earlier.next()
        })
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The form of mail (RFC 2822), to the second: `Thu, 01 Jan 2026 00:00:00 -0000`. An instant outside the years -9999 to
    /// 9999 prints as its number.
    pub fn rfc2822(self) -> String {
        match jiff::Timestamp::from_second(self.seconds()) {
            Ok(instant) => instant.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string(),
            Err(_) => self.to_string(),
        }
    }
}

/// RFC 3339 with microseconds, in UTC. An instant outside the years -9999 to 9999 prints as its number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|instant| Self(instant.as_microsecond()))
            .map_err(|_| TimestampError(crate::digest::excerpt(text)))
    }
}

/// The text is no RFC 3339 instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instant: write it as RFC 3339, for example 2026-11-01T12:00:00Z")]
pub struct TimestampError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_with_microseconds_in_utc() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp(1_700_000_000_000_001).to_string(), "2023-11-14T22:13:20.000001Z");
        assert_eq!("2023-11-14T23:13:20.000001+01:00".parse(), Ok(Timestamp(1_700_000_000_000_001)));
        assert_eq!(Timestamp(i64::MAX).to_string(), "9223372036854775807us");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn an_instant_between_two_is_read_down_or_up() {
        for (text, down, up) in [
            ("1970-01-01T00:00:00.000001Z", 1, 1),
            ("1970-01-01T00:00:00.0000010Z", 1, 1),
            ("1970-01-01T00:00:00.000001001Z", 1, 2),
            ("1970-01-01T00:00:00.0000019Z", 1, 2),
            ("1970-01-01t01:00:00.0000019+01:00", 1, 2),
        ] {
            assert_eq!((text.parse(), Timestamp::parse_up(text)), (Ok(Timestamp(down)), Ok(Timestamp(up))), "{text}");
        }
        assert!(Timestamp::parse_up("yesterday").is_err());
    }

    #[test]
    fn instants_print_as_in_mails() {
        for (micros, seconds, text) in [
            (1_767_225_600_999_999, 1_767_225_600, "Thu, 01 Jan 2026 00:00:00 -0000"),
            (-1, -1, "Wed, 31 Dec 1969 23:59:59 -0000"),
            (i64::MAX, 9_223_372_036_854, "9223372036854775807us"),
        ] {
            assert_eq!((Timestamp(micros).seconds(), Timestamp(micros).rfc2822().as_str()), (seconds, text));
        }
    }
}
