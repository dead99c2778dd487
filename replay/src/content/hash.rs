//! Computing digests of content.

use sha2::{Digest as _, Sha256, Sha512};
use tagstone_schema::{Algorithm, Digest};

/// The digest of `bytes`.
pub fn hash_of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    match algorithm {
        Algorithm::Sha256 => Digest::sha256(Sha256::digest(bytes).into()),
        Algorithm::Sha512 => Digest::sha512(Sha512::digest(bytes).into()),
    }
}

/// A digest in the making: bytes go in piece by piece. Cloning keeps a position that can be returned to.
#[derive(Clone)]
pub struct ContentHasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl ContentHasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hasher) => hasher.update(bytes),
            State::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes that were added.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hasher) => Digest::sha256(hasher.finalize().into()),
            State::Sha512(hasher) => Digest::sha512(hasher.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_the_empty_content_are_the_published_ones() {
        assert_eq!(
            hash_of(Algorithm::Sha256, b"").hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(hash_of(Algorithm::Sha512, b"").hex().starts_with("cf83e1357eefb8bdf1542850d66d8007"));
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let mut hasher = ContentHasher::new(algorithm);
            hasher.update(b"some ");
            hasher.update(b"");
            hasher.update(b"content");
            assert_eq!(hasher.algorithm(), algorithm);
            assert_eq!(hasher.finish(), hash_of(algorithm, b"some content"));
        }
    }
}
