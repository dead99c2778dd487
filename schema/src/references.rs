//! The set of digests that a manifest names.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use triomphe::ThinArc;

use crate::digest::{Algorithm, Digest};

/// The distinct digests that a manifest refers to: config and layers of an image, children of an index.
///
/// The order is canonical: SHA-256 before SHA-512, each in byte order. In a record every reference costs exactly its
/// 32 or 64 raw bytes, so that a record holds a manifest of a thousand layers. A clone costs a pointer, which is one word: an event
/// has room for it.
#[derive(Clone, PartialEq, Eq)]
pub struct References(ThinArc<(), Digest>);

impl Default for References {
    fn default() -> Self {
        Self(ThinArc::from_header_and_iter((), std::iter::empty()))
    }
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("References").field(&&self.0.slice).finish()
    }
}

impl References {
    /// The references in canonical order.
    pub fn iter(&self) -> std::slice::Iter<'_, Digest> {
        self.0.slice.iter()
    }

    /// Whether `digest` is among them.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.0.slice.binary_search(digest).is_ok()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.slice.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.slice.is_empty()
    }

    /// The references whose raw hashes lie end to end, or what is wrong with them.
    pub(crate) fn of_packed(sha256: &[u8], sha512: &[u8]) -> Result<Self, &'static str> {
        let ((sha256, []), (sha512, [])) = (sha256.as_chunks(), sha512.as_chunks()) else {
            return Err("packed references end inside a digest");
        };
        if !(sha256.is_sorted_by(|a, b| a < b) && sha512.is_sorted_by(|a, b| a < b)) {
            return Err("packed references are not in canonical order");
        }
        // How many there are is known before the first, so they are written once, to where they stay.
        let digests = (0..sha256.len() + sha512.len()).map(|at| match sha256.get(at) {
            Some(raw) => Digest::sha256(*raw),
            None => Digest::sha512(sha512[at - sha256.len()]),
        });
        Ok(Self(ThinArc::from_header_and_iter((), digests)))
    }

    fn packed(&self, algorithm: Algorithm) -> Vec<u8> {
        let of_it = || self.iter().filter(|digest| digest.algorithm() == algorithm);
        let mut packed = Vec::with_capacity(of_it().count() * algorithm.raw_len());
        of_it().for_each(|digest| packed.extend_from_slice(digest.raw()));
        packed
    }
}

impl FromIterator<Digest> for References {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut digests: Vec<_> = digests.into_iter().collect();
        digests.sort_unstable();
        digests.dedup();
        Self(ThinArc::from_header_and_iter((), digests.into_iter()))
    }
}

impl<'a> IntoIterator for &'a References {
    type Item = &'a Digest;
    type IntoIter = std::slice::Iter<'a, Digest>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A byte string borrowed or copied through serde (`Vec<u8>` would travel as a sequence of numbers).
struct Packed<'a>(Cow<'a, [u8]>);

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Packed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Packed<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("packed digests")
            }
            fn visit_borrowed_bytes<E: de::Error>(self, raw: &'de [u8]) -> Result<Packed<'de>, E> {
                Ok(Packed(Cow::Borrowed(raw)))
            }
            fn visit_bytes<E: de::Error>(self, raw: &[u8]) -> Result<Packed<'de>, E> {
                Ok(Packed(Cow::Owned(raw.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// A list of texts in formats for people; in records two byte strings, all SHA-256 then all SHA-512 hashes.
impl Serialize for References {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.slice.serialize(serializer)
        } else {
            let [sha256, sha512] = [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| self.packed(algorithm));
            (Packed(sha256.into()), Packed(sha512.into())).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for References {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Vec::<Digest>::deserialize(deserializer)?.into_iter().collect());
        }
        let (sha256, sha512) = <(Packed, Packed)>::deserialize(deserializer)?;
        Self::of_packed(&sha256.0, &sha512.0).map_err(de::Error::custom)
    }
}
