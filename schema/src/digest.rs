//! Content digests: `sha256:<64 hex>` and `sha512:<128 hex>` (OCI image-spec, descriptor.md, "Digests").

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The hash functions a digest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the default of every client.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name as it stands before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the raw hash in bytes.
    pub fn raw_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            other => Err(DigestError::UnknownAlgorithm(excerpt(other))),
        }
    }
}

/// The digest of some content. A value of this type always has a supported algorithm and the right length.
///
/// SHA-512 is boxed because it is rare: every map of the state is keyed by digests, and would otherwise pay 32
/// bytes more an entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Repr {
    Sha256(Aligned),
    Sha512(Box<[u8; 64]>),
}

/// 32 bytes where whole words are: digests are moved about all day, and to move them from an odd place takes several times as long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
#[repr(align(8))]
struct Aligned([u8; 32]);

impl Digest {
    /// A SHA-256 digest from its raw bytes.
    pub fn sha256(raw: [u8; 32]) -> Self {
        Self(Repr::Sha256(Aligned(raw)))
    }

    /// A SHA-512 digest from its raw bytes.
    pub fn sha512(raw: [u8; 64]) -> Self {
        Self(Repr::Sha512(Box::new(raw)))
    }

    /// A digest from raw bytes; the length (32 or 64) tells the algorithm.
    pub fn from_raw(raw: &[u8]) -> Result<Self, DigestError> {
        if let Ok(raw) = <[u8; 32]>::try_from(raw) {
            Ok(Self::sha256(raw))
        } else if let Ok(raw) = <[u8; 64]>::try_from(raw) {
            Ok(Self::sha512(raw))
        } else {
            Err(DigestError::RawLength(raw.len()))
        }
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Repr::Sha256(_) => Algorithm::Sha256,
            Repr::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw hash, 32 or 64 bytes.
    pub fn raw(&self) -> &[u8] {
        match &self.0 {
            Repr::Sha256(Aligned(raw)) => raw,
            Repr::Sha512(raw) => raw.as_slice(),
        }
    }

    /// The first eight bytes of the hash, as a number: by chance no two digests share them, but on purpose.
    pub fn first_word(&self) -> u64 {
        self.raw().first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
    }

    /// The hash in lower-case hex, without the algorithm.
    pub fn hex(&self) -> String {
        hex(self.raw())
    }
}

/// All of it is hashed, since clients choose digests; but in words, and without the length, which the algorithm has told.
impl Hash for Digest {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Of a number of words that is known no loop is left, which takes half the time.
        match &self.0 {
            Repr::Sha256(Aligned(raw)) => hash_words(raw.as_chunks().0, state),
            Repr::Sha512(raw) => hash_words(raw.as_chunks().0, state),
        }
    }
}

#[inline]
fn hash_words<H: Hasher>(words: &[[u8; 8]], state: &mut H) {
    words.iter().for_each(|word| state.write_u64(u64::from_ne_bytes(*word)));
}

/// Bytes in lower-case hex.
pub fn hex(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len() * 2);
    text.extend(raw.iter().flat_map(|byte| digits_of(*byte)).map(char::from));
    text
}

/// All bytes in lower-case hex.
const DIGITS: [[u8; 2]; 256] = {
    let (digits, mut all, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
    while byte < all.len() {
        all[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    all
};

/// A byte in lower-case hex.
#[inline]
pub fn digits_of(byte: u8) -> [u8; 2] {
    DIGITS[usize::from(byte)]
}

/// Lower-case hex to exactly `N` bytes; `None` for anything else.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    fn value(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        }
    }
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut raw = [0; N];
    for (byte, pair) in raw.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(raw)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, encoded) = text.split_once(':').ok_or_else(|| DigestError::NoColon(excerpt(text)))?;
        let algorithm: Algorithm = algorithm.parse()?;
        let bad = || DigestError::BadHex { algorithm, given: excerpt(encoded) };
        match algorithm {
            Algorithm::Sha256 => unhex(encoded).map(Self::sha256).ok_or_else(bad),
            Algorithm::Sha512 => unhex(encoded).map(Self::sha512).ok_or_else(bad),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().name())?;
        f.write_str(":")?;
        // In parts on the stack: a page of a history prints a thousand.
        let (parts, _) = self.raw().as_chunks::<32>();
        for part in parts {
            let mut text = [0; 64];
            for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(part) {
                *digits = digits_of(*byte);
            }
            f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text in formats for people, raw bytes in records.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self.raw())
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_bytes<E: de::Error>(self, raw: &[u8]) -> Result<Digest, E> {
                Digest::from_raw(raw).map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

/// Why a text or bytes are not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `:` between algorithm and hash.
    #[error("digest `{0}` has no algorithm; write it as `sha256:<64 lower-case hex digits>`")]
    NoColon(String),
    /// The algorithm is none that this registry computes.
    #[error("digest algorithm `{0}` is not supported; use sha256 or sha512")]
    UnknownAlgorithm(String),
    /// The hash is not lower-case hex of the right length.
    #[error("`{given}` is not a {} hash: it must be exactly {} lower-case hex digits", .algorithm.name(), .algorithm.raw_len() * 2)]
    BadHex {
        /// The algorithm that the digest named.
        algorithm: Algorithm,
        /// What stood behind the colon.
        given: String,
    },
    /// Raw bytes of a length that no algorithm has.
    #[error("a raw digest has 32 or 64 bytes, not {0}")]
    RawLength(usize),
}

/// The beginning of a text from outside, short enough to stand in an error message.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_digest_are_refused_by_what_is_wrong() {
        let hex64 = "a".repeat(64);
        let cases = [
            ("".to_owned(), "has no algorithm"),
            (hex64.clone(), "has no algorithm"),
            (format!("md5:{hex64}"), "not supported"),
            (format!("SHA256:{hex64}"), "not supported"),
            (format!("sha256:{}", "A".repeat(64)), "exactly 64"),
            (format!("sha256:{}", "a".repeat(63)), "exactly 64"),
            (format!("sha512:{hex64}"), "exactly 128"),
            (format!("sha256:{}g", "a".repeat(63)), "exactly 64"),
            (format!("sha256:{}é", "a".repeat(62)), "exactly 64"),
        ];
        for (text, want) in cases {
            let error = text.parse::<Digest>().expect_err(&text).to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn a_digest_prints_as_it_was_read() {
        for text in [format!("sha256:{}", "0f".repeat(32)), format!("sha512:{}", "9a".repeat(64))] {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_digest_in_a_map_costs_at_most_40_bytes() {
        assert!(size_of::<Digest>() <= 40);
    }
}
