//! Instants, as records keep them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// An instant: microseconds since 1970-01-01T00:00:00Z. Records are strictly increasing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// RFC 3339, always with six digits of a second.
const MICROSECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// RFC 2822, with an offset that says that the zone is not known.
const MAIL: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] -0000");

impl Timestamp {
    /// The instant that follows `self` at once.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Reads an instant, and where it lies between two microseconds takes the later one: what is before the one is before
    /// the other. [`str::parse`] takes the earlier one.
    pub fn parse_up(text: &str) -> Result<Self, TimestampError> {
        let (down, is_between) = read(text)?;
        Ok(if is_between { down.next() } else { down })
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The form of mail (RFC 2822), to the second: `Thu, 01 Jan 2026 00:00:00 -0000`. An instant outside the years -9999 to
    /// 9999 prints as its number.
    pub fn rfc2822(self) -> String {
        self.calendar().and_then(|instant| instant.format(MAIL).ok()).unwrap_or_else(|| self.to_string())
    }

    fn calendar(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).ok()
    }
}

/// RFC 3339 with microseconds, in UTC. An instant outside the years -9999 to 9999 prints as its number.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.calendar().and_then(|instant| instant.format(MICROSECONDS).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        read(text).map(|(down, _)| down)
    }
}

/// The microsecond at or before an instant, and whether it lies before the next one.
fn read(text: &str) -> Result<(Timestamp, bool), TimestampError> {
    let wrong = || TimestampError(crate::digest::excerpt(text));
    // The library takes any character between date and time.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return Err(wrong());
    }
    let nanos = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?.unix_timestamp_nanos();
    let micros = i64::try_from(nanos.div_euclid(1_000)).map_err(|_| wrong())?;
    // More digits than nanoseconds have are dropped by the library, and are none the less a part of the instant.
    let is_finer =
        text.bytes().skip_while(|byte| *byte != b'.').skip(10).take_while(u8::is_ascii_digit).any(|byte| byte != b'0');
    Ok((Timestamp(micros), is_finer || nanos.rem_euclid(1_000) != 0))
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
            ("1970-01-01T00:00:00.0000010000000001Z", 1, 2),
            ("1969-12-31T23:59:59.9999995Z", -1, 0),
        ] {
            assert_eq!((text.parse(), Timestamp::parse_up(text)), (Ok(Timestamp(down)), Ok(Timestamp(up))), "{text}");
        }
        assert!(Timestamp::parse_up("yesterday").is_err());
    }

    #[test]
    fn instants_are_read_as_rfc_3339_has_them_and_in_no_other_form() {
        for (text, printed) in [
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"),
            ("9999-12-31T23:59:59.999999999999Z", "9999-12-31T23:59:59.999999Z"),
            ("0001-01-01t00:00:00z", "0001-01-01T00:00:00.000000Z"),
            ("2026-11-21 14:42:36.5-03:30", "2026-11-21T18:12:36.500000Z"),
            ("2026-11-21T14:42:36.1234567891Z", "2026-11-21T14:42:36.123456Z"),
            ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), printed, "{text}");
        }
        for text in [
            "20261121T144236Z",
            "2026-11-21T14Z",
            "2026-11-21T14:42Z",
            "2026-11-21T14:42:36,5Z",
            "2026-11-21T14:42:36Z[UTC]",
            "+002026-11-21T14:42:36Z",
            "-000001-01-01T00:00:00Z",
            "2026-11-21T14:42:36+01",
            "2026-11-21T14:42:36+0100",
            "2026-11-21T14:42:36+25:59",
            "2026-11-21T14:42:36",
            "2026-11-21x14:42:36Z",
            "2026-02-29T14:42:36Z",
            "2026-11-21T24:00:00Z",
            "10000-01-01T00:00:00Z",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
            assert!(Timestamp::parse_up(text).is_err(), "{text}");
        }
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
