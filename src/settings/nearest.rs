//! The known name that somebody probably meant.

use super::reader::Entry;

/// The key nearest to `name`, written in `section`. A key of another section counts as one mistake further away, so
/// that a good name in the wrong section is recognised too.
pub(super) fn key<'a>(entries: impl Iterator<Item = &'a Entry>, section: &str, name: &str) -> Option<&'a Entry> {
    entries.min_by_key(|entry| strsim::damerau_levenshtein(name, entry.name) + usize::from(entry.section != section))
}

/// The word nearest to `name`.
pub(super) fn word<'a>(words: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    words.min_by_key(|word| strsim::damerau_levenshtein(name, word))
}
