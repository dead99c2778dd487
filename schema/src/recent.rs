//! Texts as they stand in records, and those that come again and again.
//!
//! The events of a record name the same repository, and records the same clients and media types. To check and to copy each
//! anew would take a good part of the time of a replay, so every thread remembers the last few.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::thread::LocalKey;

use serde::{Deserializer, de};

/// The longest text that is remembered. The writer makes no longer ones; what is read may be as long as a record.
const LONGEST: usize = 256;

/// The last few values of one type.
pub(crate) struct Recent<T>(RefCell<[Option<T>; 4]>);

impl<T: Borrow<str> + Clone + FromStr<Err: fmt::Display>> Recent<T> {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new([const { None }; 4]))
    }

    /// The value that the bytes stand for: a copy of an earlier one, where they are the same. Most often they are those of
    /// the last one.
    #[inline]
    fn parse(&self, bytes: &[u8]) -> Result<T, String> {
        let mut recent = self.0.borrow_mut();
        match &recent[0] {
            Some(last) if last.borrow().as_bytes() == bytes => Ok(last.clone()),
            _ => Self::parse_among(&mut recent, bytes),
        }
    }

    #[inline(never)]
    fn parse_among(recent: &mut [Option<T>; 4], bytes: &[u8]) -> Result<T, String> {
        let is_known = |known: &Option<T>| known.as_ref().is_some_and(|known| known.borrow().as_bytes() == bytes);
        if let Some(place) = recent.iter().position(is_known) {
            recent.swap(0, place);
            if let Some(known) = &recent[0] {
                return Ok(known.clone());
            }
        }
        let parsed: T = parse(bytes)?;
        if bytes.len() <= LONGEST {
            recent.rotate_right(1);
            recent[0] = Some(parsed.clone());
        }
        Ok(parsed)
    }
}

/// The value that the bytes of a text stand for, or what is wrong with them.
fn parse<T: FromStr<Err: fmt::Display>>(bytes: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("string is not valid utf8: {error}"))?;
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Reads a text, of which it is told what was expected. In records it is the same as a string of bytes, which need not be UTF-8 before they are compared.
fn read<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Visitor<T, F>(F, &'static str, PhantomData<T>);
    impl<T, F: FnOnce(&[u8]) -> Result<T, String>> de::Visitor<'_> for Visitor<T, F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            self.visit_bytes(text.as_bytes())
        }
        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
            (self.0)(bytes).map_err(E::custom)
        }
    }
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Visitor(parse, expected, PhantomData))
    } else {
        deserializer.deserialize_bytes(Visitor(parse, expected, PhantomData))
    }
}

/// Reads a text that is most often a new one.
pub(crate) fn read_new<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<T, D::Error> {
    read(deserializer, expected, parse)
}

/// Reads a text that is most often one that was read just now, as one of the same kind.
pub(crate) fn read_again<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static str,
    recent: &'static LocalKey<Recent<T>>,
) -> Result<T, D::Error>
where
    T: Borrow<str> + Clone + FromStr<Err: fmt::Display>,
{
    read(deserializer, expected, |bytes| recent.with(|recent| recent.parse(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RepositoryName, Tag};

    #[test]
    fn what_comes_again_is_what_was_parsed_and_what_is_wrong_stays_wrong() {
        let recent: Recent<Tag> = Recent::new();
        for text in ["a", "b", "a", "c", "d", "e", "a", "a", "b"] {
            assert_eq!(recent.parse(text.as_bytes()), Ok(text.parse().unwrap()));
            assert_eq!(recent.parse(b"-"), Err("-".parse::<Tag>().unwrap_err().to_string()));
            assert!(recent.parse(b"a\xff").unwrap_err().contains("utf8"));
        }
    }

    #[test]
    fn a_text_that_comes_again_is_not_copied() {
        let recent: Recent<RepositoryName> = Recent::new();
        let [first, second] = [(); 2].map(|()| recent.parse(b"acme/app").unwrap());
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }

    #[test]
    fn what_is_longer_than_any_writer_makes_it_is_not_remembered() {
        let recent: Recent<smol_str::SmolStr> = Recent::new();
        for (length, is_remembered) in [(LONGEST, true), (LONGEST + 1, false)] {
            let [first, second] = [(); 2].map(|()| recent.parse("a".repeat(length).as_bytes()).unwrap());
            assert_eq!(std::ptr::eq(first.as_str(), second.as_str()), is_remembered, "{length}");
        }
    }
}
