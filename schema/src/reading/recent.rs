//! Texts that come again and again.
//!
//! The events of a record name the same repository, and records the same clients and media types. To check and to copy each
//! anew would take a good part of the time of a replay, so every thread remembers those of late.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::parse;

/// The longest text that is remembered. The writer makes no longer ones; what is read may be as long as a record.
const LONGEST: usize = 256;

/// Values of one type that were read lately, each at the only place where it may be: a power of two of them.
pub(super) struct Recent<T, const PLACES: usize> {
    values: Vec<Option<T>>,
    /// Where the last one is: most often it comes again at once.
    last: usize,
}

impl<T, const PLACES: usize> Default for Recent<T, PLACES> {
    fn default() -> Self {
        Self { values: Vec::new(), last: 0 }
    }
}

impl<T: Borrow<str> + Clone + FromStr<Err: fmt::Display>, const PLACES: usize> Recent<T, PLACES> {
    /// The value that the bytes stand for: a copy of an earlier one, where they are the same.
    #[inline]
    pub(super) fn parse(&mut self, bytes: &[u8]) -> Result<T, String> {
        match self.known(self.last, bytes) {
            Some(known) => Ok(known.clone()),
            None => self.parse_other(bytes),
        }
    }

    #[inline]
    fn known(&self, place: usize, bytes: &[u8]) -> Option<&T> {
        let is_it = |known: &&T| Borrow::<str>::borrow(*known).as_bytes() == bytes;
        self.values.get(place)?.as_ref().filter(is_it)
    }

    #[inline(never)]
    fn parse_other(&mut self, bytes: &[u8]) -> Result<T, String> {
        let place = place_of(bytes) % PLACES;
        if let Some(known) = self.known(place, bytes).cloned() {
            self.last = place;
            return Ok(known);
        }
        let parsed: T = parse(bytes)?;
        if bytes.len() <= LONGEST {
            self.values.resize(PLACES, None);
            self.values[place] = Some(parsed.clone());
            self.last = place;
        }
        Ok(parsed)
    }
}

/// Names differ at their ends for the most part.
fn place_of(bytes: &[u8]) -> usize {
    let end = match bytes.last_chunk() {
        Some(end) => u64::from_le_bytes(*end),
        None => bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    };
    // Each half of the product depends on another part of it.
    let product = u128::from(end.wrapping_add(bytes.len() as u64)) * 0x9e37_79b9_7f4a_7c15;
    (product ^ product >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RepositoryName, Tag};

    #[test]
    fn what_comes_again_is_what_was_parsed_and_what_is_wrong_stays_wrong() {
        let mut recent: Recent<Tag, 4> = Recent::default();
        for text in ["a", "b", "a", "c", "d", "e", "a", "a", "b"] {
            assert_eq!(recent.parse(text.as_bytes()), Ok(text.parse().unwrap()));
            assert_eq!(recent.parse(b"-"), Err("-".parse::<Tag>().unwrap_err().to_string()));
            assert!(recent.parse(b"a\xff").unwrap_err().contains("not UTF-8"));
        }
    }

    #[test]
    fn a_text_that_comes_again_is_not_copied() {
        let mut recent: Recent<RepositoryName, 4> = Recent::default();
        let [first, second] = [(); 2].map(|()| recent.parse(b"acme/app").unwrap());
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }

    #[test]
    fn what_is_longer_than_any_writer_makes_it_is_not_remembered() {
        let mut recent: Recent<smol_str::SmolStr, 4> = Recent::default();
        for (length, is_remembered) in [(LONGEST, true), (LONGEST + 1, false)] {
            let [first, second] = [(); 2].map(|()| recent.parse("a".repeat(length).as_bytes()).unwrap());
            assert_eq!(std::ptr::eq(first.as_str(), second.as_str()), is_remembered, "{length}");
        }
    }
}
