//! Manifests in memory. What was erased is in it no more, whoever was reading it meanwhile.

use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tagstone_schema::Digest;

/// The bytes of manifests that were read lately.
#[derive(Debug)]
pub struct ManifestCache {
    cache: Cache<Digest, Bytes, ByBytes>,
    /// How often something was erased. Whoever adds holds it for reading, whoever erases for writing.
    erasures: RwLock<u64>,
}

/// When somebody began to read what he wants to add.
#[derive(Clone, Copy, Debug)]
pub struct ReadingSince(u64);

impl ManifestCache {
    /// An empty cache of at most so many bytes.
    pub fn new(bytes: u64) -> Self {
        // Most manifests have some hundred bytes up to a few thousand.
        let entries = usize::try_from(bytes / 2048).unwrap_or(usize::MAX).max(16);
        Self { cache: Cache::with_weighter(entries, bytes, ByBytes), erasures: RwLock::default() }
    }

    /// The bytes of a manifest, if they are here.
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.cache.get(digest)
    }

    /// Whether a manifest is here.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.cache.peek(digest).is_some()
    }

    /// To be called before content is read that is to be added.
    pub fn reading(&self) -> ReadingSince {
        ReadingSince(*self.erasures.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what was read, unless anything was erased meanwhile: it might have been this.
    pub fn add(&self, digest: &Digest, bytes: &Bytes, since: ReadingSince) {
        let erasures = self.erasures.read().unwrap_or_else(PoisonError::into_inner);
        if *erasures == since.0 {
            self.cache.insert(digest.clone(), bytes.clone());
        }
    }

    /// Forgets what is no longer stored.
    pub fn forget(&self, digests: &[Digest]) {
        *self.erasures.write().unwrap_or_else(PoisonError::into_inner) += 1;
        for digest in digests {
            self.cache.remove(digest);
        }
    }
}

/// Weighs cached manifests by their memory.
#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Digest, Bytes> for ByBytes {
    fn weight(&self, _digest: &Digest, bytes: &Bytes) -> u64 {
        // The entry itself costs about this much beside its bytes.
        bytes.len() as u64 + 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_does_not_come_back_by_a_slow_reader() {
        let cache = ManifestCache::new(1 << 20);
        let (digest, bytes) = (Digest::sha256([1; 32]), Bytes::from_static(b"{}"));
        let slow = cache.reading();
        cache.add(&digest, &bytes, cache.reading());
        assert!(cache.contains(&digest) && cache.get(&digest).is_some());
        cache.forget(std::slice::from_ref(&digest));
        assert!(!cache.contains(&digest));
        cache.add(&digest, &bytes, slow);
        assert!(!cache.contains(&digest));
        // It was pushed again.
        cache.add(&digest, &bytes, cache.reading());
        assert!(cache.contains(&digest));
    }
}
