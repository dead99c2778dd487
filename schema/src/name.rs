//! Repository names, namespaces and tags (distribution-spec, "Pulling manifests").

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::digest::excerpt;
use crate::{limits, text};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a repository name or namespace.
    #[error(
        "`{given}` is not a repository name: it must be lower-case letters and digits, single `.`, `_`, `__` or dashes \
         between them, components separated by `/`"
    )]
    Repository {
        /// The text, cut short.
        given: String,
    },
    /// Longer than [`limits::REPOSITORY_NAME_BYTES`].
    #[error("the repository name has {length} characters; at most {} are allowed", limits::REPOSITORY_NAME_BYTES)]
    RepositoryLength {
        /// Its length.
        length: usize,
    },
    /// Not a tag.
    #[error(
        "`{given}` is not a tag: it must begin with a letter, a digit or `_`, and go on with at most 127 letters, \
         digits, `.`, `_` or `-`"
    )]
    Tag {
        /// The text, cut short.
        given: String,
    },
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident($text:ty), $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($text);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(<$text>::from(text)))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::parsed(deserializer)
            }
        }
    };
}

name_type! {
    /// The name of a repository, such as `acme/search-indexer`: at most 255 characters of lower-case components
    /// separated by `/`.
    RepositoryName(Arc<str>), check_repository
}

name_type! {
    /// A namespace: a proper path prefix of repository names, such as `acme`. It has the same form as a
    /// repository name.
    Namespace(Arc<str>), check_repository
}

name_type! {
    /// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. One of up to 23 characters, as most have, lies where the value does:
    /// there are millions, and to compare two of them must not lead elsewhere.
    Tag(SmolStr), check_tag
}

/// The first component of the reserved, read-only repositories that show the past (`as-of/<point>/<name>`).
pub const AS_OF: &str = "as-of";

impl RepositoryName {
    /// Whether both are the same name: quick where one is a copy of the other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self == other
    }

    /// Whether the name lies in the reserved namespace [`AS_OF`], to which nothing can be pushed.
    pub fn is_reserved(&self) -> bool {
        lies_in_the_past(&self.0)
    }
}

impl Namespace {
    /// Whether all repositories below it are reserved.
    pub fn is_reserved(&self) -> bool {
        lies_in_the_past(&self.0)
    }

    /// Whether the repository lies below this namespace.
    pub fn contains(&self, repository: &RepositoryName) -> bool {
        repository.0.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn lies_in_the_past(name: &str) -> bool {
    name.strip_prefix(AS_OF).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check_repository(text: &str) -> Result<(), NameError> {
    if !is_repository(text.as_bytes()) {
        Err(NameError::Repository { given: excerpt(text) })
    } else if text.len() > limits::REPOSITORY_NAME_BYTES {
        Err(NameError::RepositoryLength { length: text.len() })
    } else {
        Ok(())
    }
}

/// How many bytes at the beginning belong together.
fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len())
}

/// Components joined by `/`, each `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`: words, and between any two something that separates.
fn is_repository(mut text: &[u8]) -> bool {
    loop {
        let word = run(text, |byte| IN_WORDS[usize::from(byte)]);
        if word == 0 {
            return false;
        }
        text = match &text[word..] {
            [] => return true,
            [b'_', b'_', rest @ ..] | [b'/' | b'.' | b'_', rest @ ..] => rest,
            dashes @ [b'-', ..] => &dashes[run(dashes, |byte| byte == b'-')..],
            _ => return false,
        };
    }
}

fn check_tag(text: &str) -> Result<(), NameError> {
    let well_formed = text.len() <= limits::TAG_BYTES
        && !matches!(text.as_bytes(), [] | [b'.' | b'-', ..])
        && text.bytes().fold(true, |all, byte| all & IN_TAGS[usize::from(byte)]);
    if well_formed { Ok(()) } else { Err(NameError::Tag { given: excerpt(text) }) }
}

/// The bytes that the words of a repository name may have, and those that a tag may have: one look instead of several comparisons.
const IN_WORDS: [bool; 256] = table_of(b"abcdefghijklmnopqrstuvwxyz0123456789");
const IN_TAGS: [bool; 256] = table_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

const fn table_of(bytes: &[u8]) -> [bool; 256] {
    let (mut table, mut at) = ([false; 256], 0);
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names() {
        let longest = format!("a/{}", "b".repeat(253));
        for good in ["a", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1", "as-of", "library/debian", &longest] {
            assert_eq!(good.parse::<RepositoryName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(256);
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", "-a", "a-", "a_", "ä", "a b", "a:b", "..", &long,
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?} must not be a repository name");
        }
    }

    #[test]
    fn a_name_is_another_one_if_the_texts_are_the_same() {
        let [name, again, other]: [RepositoryName; 3] =
            ["acme/app", "acme/app", "acme/api"].map(|name| name.parse().unwrap());
        assert!(name.is(&name.clone()) && name.is(&again) && !name.is(&other));
    }

    #[test]
    fn every_short_text_is_a_repository_name_if_each_of_its_components_is_words_and_what_may_stand_between_two() {
        let is_word = |byte: &u8| b"a0".contains(byte);
        let separates =
            |between: &[u8]| matches!(between, b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-');
        let is_component = |text: &[u8]| {
            let mut between: Vec<_> = text.split(is_word).collect();
            let (first, last) = (between.remove(0), between.pop());
            first.is_empty() && last.is_some_and(<[u8]>::is_empty) && between.into_iter().all(separates)
        };
        let (mut texts, mut good) = (vec![vec![]], 0);
        while let Some(text) = texts.pop() {
            let expected = text.split(|byte| *byte == b'/').all(is_component);
            assert_eq!(is_repository(&text), expected, "{}", text.escape_ascii());
            good += u32::from(expected);
            if text.len() < 6 {
                texts.extend(b"a0._-/A".iter().map(|byte| [&text[..], &[*byte]].concat()));
            }
        }
        assert!(good > 1_000, "{good}");
    }

    #[test]
    fn tags() {
        let longest = "v".repeat(128);
        for good in ["latest", "v1.0.0", "_x", "A-b_c.d", "1", &longest] {
            assert_eq!(good.parse::<Tag>().unwrap().as_str(), good);
        }
        let long = "v".repeat(129);
        for bad in ["", ".a", "-a", "a b", "a/b", "a:b", "a+b", "é", &long] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} must not be a tag");
        }
    }

    #[test]
    fn a_namespace_is_a_proper_path_prefix() {
        let acme: Namespace = "acme".parse().unwrap();
        for (repository, inside) in [("acme/app", true), ("acme/a/b", true), ("acme", false), ("acmeco/app", false)] {
            assert_eq!(acme.contains(&repository.parse().unwrap()), inside, "{repository}");
        }
    }

    #[test]
    fn the_past_is_reserved() {
        for (name, reserved) in [("as-of", true), ("as-of/seq-1/a", true), ("as-off/a", false), ("a/as-of", false)] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().is_reserved(), reserved, "{name}");
            assert_eq!(name.parse::<Namespace>().unwrap().is_reserved(), reserved, "{name}");
        }
    }
}
