//! Names of repositories as they stand in paths: `<name>`, or `as-of/<point>/<name>` for what it was.

use tagstone_schema::name::AS_OF;
use tagstone_schema::{RepositoryName, Seq};

use super::error::Refusal;
use crate::history::Point;

/// What a name in a path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// A repository as it is.
    Now(RepositoryName),
    /// A repository as it was. Only its own name counts for what a name may be, its length too.
    Then(Point, RepositoryName),
    /// Something in the past that cannot be read, and why.
    Unreadable(&'a str),
}

impl<'a> Named<'a> {
    /// Reads a name.
    pub(super) fn of(text: &'a str) -> Result<Self, Refusal> {
        let Some(past) = behind_as_of(text) else { return Ok(Self::Now(text.parse()?)) };
        let Some((point, name)) = past.split_once('/') else {
            return Ok(Self::Unreadable("a point and the name of a repository have to follow"));
        };
        let Some(point) = point_of(point) else {
            return Ok(Self::Unreadable("there is no such point"));
        };
        if behind_as_of(name).is_some() {
            return Ok(Self::Unreadable("the past is not seen from the past"));
        }
        Ok(Self::Then(point, name.parse()?))
    }
}

/// Whether a name lies in the namespace that shows the past, however it goes on there.
pub(super) fn lies_in_the_past(text: &str) -> bool {
    behind_as_of(text).is_some()
}

/// The repository that a name is about, of whatever time. Where there is none to be made out, the name itself.
pub(super) fn repository_of(text: &str) -> &str {
    let name = behind_as_of(text).and_then(|past| past.split_once('/')).map(|(_, name)| name);
    name.unwrap_or(text)
}

fn behind_as_of(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(AS_OF)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Reads `seq-<n>` or `YYYYMMDDtHHMMSSz`.
fn point_of(text: &str) -> Option<Point> {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(seq) = text.strip_prefix("seq-") {
        // A number too large for a seq is larger than any.
        return are_digits(seq).then(|| Point::Record(seq.parse().unwrap_or(Seq::MAX)));
    }
    let (date, time) = text.strip_suffix('z')?.split_once('t')?;
    if date.len() != 8 || time.len() != 6 || !are_digits(date) || !are_digits(time) {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    let instant = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()?;
    Some(Point::Instant(instant))
}

#[cfg(test)]
mod tests {
    use tagstone_schema::Timestamp;

    use super::*;

    #[test]
    fn the_repository_that_is_meant() {
        for (text, repository) in [
            ("acme/app", "acme/app"),
            ("as-of/seq-1/acme/app", "acme/app"),
            ("as-of/whenever/acme/app", "acme/app"),
            ("as-of/seq-1/as-of/seq-2/app", "as-of/seq-2/app"),
            ("as-of/seq-1", "as-of/seq-1"),
            ("as-of", "as-of"),
            ("as-off/a/b", "as-off/a/b"),
        ] {
            assert_eq!(repository_of(text), repository);
        }
    }

    #[test]
    fn names() {
        let app = || "acme/app".parse().unwrap();
        for (text, named) in [
            ("acme/app", Named::Now(app())),
            ("as-off/app", Named::Now("as-off/app".parse().unwrap())),
            ("as-of/seq-12/acme/app", Named::Then(Point::Record(12), app())),
            ("as-of/seq-0/acme/app", Named::Then(Point::Record(0), app())),
            ("as-of/seq-99999999999999999999/acme/app", Named::Then(Point::Record(Seq::MAX), app())),
            ("as-of/20261101t120000z/acme/app", Named::Then(Point::Instant(Timestamp(1_793_534_400_000_000)), app())),
            ("as-of/19700101t000000z/acme/app", Named::Then(Point::Instant(Timestamp(0)), app())),
            ("as-of/99991231t235959z/acme/app", Named::Then(Point::Instant(Timestamp(253_402_300_799_000_000)), app())),
        ] {
            assert_eq!(Named::of(text).unwrap(), named, "{text}");
        }
        for text in [
            "as-of",
            "as-of/",
            "as-of/seq-1",
            "as-of/seq-/a",
            "as-of/seq--1/a",
            "as-of/seq-+1/a",
            "as-of/seq-1x/a",
            "as-of/12/a",
            "as-of/latest/a",
            "as-of/20261101/a",
            "as-of/20261101t1200z/a",
            "as-of/20261101t120000/a",
            "as-of/20261101T120000Z/a",
            "as-of/20261301t120000z/a",
            "as-of/20260229t120000z/a",
            "as-of/20261101t250000z/a",
            "as-of/+2026101t120000z/a",
            "as-of/2026110ét12000z/a",
            "as-of/seq-1/as-of/seq-1/a",
            "as-of/seq-1/as-of",
        ] {
            assert!(matches!(Named::of(text), Ok(Named::Unreadable(_))), "{text}");
            assert!(lies_in_the_past(text), "{text}");
        }
        for text in ["as-of/seq-1/A", "as-of/seq-1/", "as-of/seq-1/a//b", "A", ""] {
            assert!(Named::of(text).is_err(), "{text}");
        }
        let (longest, longer) = ("a".repeat(255), "a".repeat(256));
        assert!(Named::of(&format!("as-of/20261101t120000z/{longest}")).is_ok());
        assert!(Named::of(&format!("as-of/20261101t120000z/{longer}")).is_err());
    }
}
