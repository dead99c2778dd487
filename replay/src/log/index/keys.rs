//! The keys of the index. Names hold no zero byte, so it ends each. Places stand inverted, so that the newest is first.
//!
//! | key | value |
//! |---|---|
//! | `t` repository `0` tag `0` place | an interval |
//! | `r` repository `0` place | the tag whose interval begins there |
//! | `l` repository `0` place | the same, only while the interval has no end |
//! | `d` length of the digest, digest, repository `0` tag | the place at which the tag pointed there first |
//! | `m` name | about the index itself |

use tagstone_schema::{Digest, RepositoryName, Tag};

use super::interval::Place;

/// About the index itself.
pub(super) const ABOUT: &[u8] = b"mabout";

/// The position up to which it is complete.
pub(super) const REACHED: &[u8] = b"mreached";

/// Bytes of a place at the end of a key.
const PLACE_BYTES: usize = 12;

/// What the keys of all intervals of a tag begin with.
pub(super) fn of_tag(repository: &RepositoryName, tag: &Tag) -> Vec<u8> {
    joined(b't', &[repository.as_str(), tag.as_str()])
}

/// What the keys of all beginnings in a repository begin with.
pub(super) fn of_repository(repository: &RepositoryName) -> Vec<u8> {
    joined(b'r', &[repository.as_str()])
}

/// What the keys of all beginnings of live tags in a repository begin with.
pub(super) fn of_live(repository: &RepositoryName) -> Vec<u8> {
    joined(b'l', &[repository.as_str()])
}

/// A key: what it begins with, and a place.
pub(super) fn at(mut prefix: Vec<u8>, place: Place) -> Vec<u8> {
    prefix.extend((!place.seq).to_be_bytes());
    prefix.extend((!place.index).to_be_bytes());
    prefix
}

/// The key of where a tag pointed at a digest.
pub(super) fn of_digest(digest: &Digest, repository: &RepositoryName, tag: &Tag) -> Vec<u8> {
    let raw = digest.raw();
    let mut key = vec![b'd'];
    // 32 or 64; the lengths keep digests from running into names.
    key.extend(u8::try_from(raw.len()));
    key.extend(raw);
    key.extend(repository.as_str().bytes());
    key.push(0);
    key.extend(tag.as_str().bytes());
    key
}

/// The place at the end of a key.
pub(super) fn place(key: &[u8]) -> Option<Place> {
    let (_, place) = key.split_at_checked(key.len().checked_sub(PLACE_BYTES)?)?;
    let (seq, index) = place.split_first_chunk::<8>()?;
    let index = index.first_chunk::<4>()?;
    Some(Place { seq: !u64::from_be_bytes(*seq), index: !u32::from_be_bytes(*index) })
}

fn joined(kind: u8, names: &[&str]) -> Vec<u8> {
    let mut key = vec![kind];
    for name in names {
        key.extend(name.bytes());
        key.push(0);
    }
    key
}
