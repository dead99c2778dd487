//! Texts that come again and again while records are decoded.
//!
//! The events of a record name the same repository, and records the same media types. To check and to copy each anew would
//! take a good part of the time of a replay, so every thread remembers the last few.

use std::cell::RefCell;
use std::str::FromStr;

/// The last few values of one type.
pub(crate) struct Recent<T>(RefCell<[Option<T>; 4]>);

impl<T: Clone + FromStr> Recent<T> {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new([const { None }; 4]))
    }

    /// The value that the text stands for: a copy of the last one, where it was the same text.
    pub(crate) fn parse(&self, text: &str, as_str: fn(&T) -> &str) -> Result<T, T::Err> {
        let mut recent = self.0.borrow_mut();
        if let Some(known) = recent.iter().flatten().find(|known| as_str(known) == text) {
            return Ok(known.clone());
        }
        let parsed: T = text.parse()?;
        recent.rotate_right(1);
        recent[0] = Some(parsed.clone());
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tag;

    #[test]
    fn what_comes_again_is_what_was_parsed_and_what_is_wrong_stays_wrong() {
        let recent: Recent<Tag> = Recent::new();
        for text in ["a", "b", "a", "c", "d", "e", "a", "a", "b"] {
            assert_eq!(recent.parse(text, Tag::as_str), text.parse());
            assert_eq!(recent.parse("-", Tag::as_str), "-".parse());
        }
    }

    #[test]
    fn a_text_that_comes_again_is_not_copied() {
        let recent: Recent<crate::RepositoryName> = Recent::new();
        let [first, second] = [(); 2].map(|()| recent.parse("acme/app", crate::RepositoryName::as_str).unwrap());
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }
}
