//! What is pushed: a config, a layer, manifests that differ in one annotation, small blobs and one large one.
//!
//! Everything is deterministic and cheap to make, and every digest is computed before the clock starts.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The media type of every manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// The config every manifest names.
pub const CONFIG: &[u8] = b"{}";

/// The layer every manifest names: an empty tar archive is two empty blocks.
pub const LAYER: &[u8] = &[0; 1024];

/// Bytes of a small blob.
pub const SMALL: usize = 4096;

/// About what the manifest of a small image takes.
const MANIFEST_SIZE: usize = 600;

/// The digits by which one manifest, or one small blob, differs from the next.
const DIGITS: usize = 20;

/// Numbers below this belong to one series.
const SERIES: u64 = 1_000_000_000;

/// A range of numbers that no other part of this run uses, so that no content is pushed twice by accident.
pub fn series() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) * SERIES
}

/// `sha256:<hex>` of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    written(&Sha256::digest(bytes))
}

fn written(hash: &[u8]) -> String {
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// A valid manifest with a place for a number.
#[derive(Debug, Clone)]
pub struct Manifest {
    bytes: Vec<u8>,
    at: usize,
}

impl Default for Manifest {
    /// The manifest before it has a number.
    fn default() -> Self {
        let mark = "#".repeat(DIGITS);
        let text = |note: &str| {
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}],"annotations":{{"compare.number":"{mark}","compare.note":"{note}"}}}}"#,
                digest(CONFIG),
                CONFIG.len(),
                digest(LAYER),
                LAYER.len()
            )
        };
        let short = text("").len();
        let bytes = text(&"-".repeat(MANIFEST_SIZE.saturating_sub(short))).into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'#').unwrap_or_default();
        Self { bytes, at }
    }
}

impl Manifest {
    /// The manifest with its number in place.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        put_number(&mut self.bytes[self.at..self.at + DIGITS], number);
        &self.bytes
    }
}

/// Writes `number` in decimal, padded with zeros, over the whole of `place`.
fn put_number(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[usize::try_from(number % 10).unwrap_or_default()];
        number /= 10;
    }
}

/// Bytes that do not compress and do not repeat within `size`: xorshift from a fixed seed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(size.div_ceil(8)).flatten().take(size).collect()
}

/// A blob of 4 KiB with a place for a number.
#[derive(Debug, Clone)]
pub struct SmallBlob(Vec<u8>);

impl Default for SmallBlob {
    /// The blob before it has a number.
    fn default() -> Self {
        Self(noise(SMALL))
    }
}

impl SmallBlob {
    /// The blob with its number in place.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        put_number(&mut self.0[..DIGITS], number);
        &self.0
    }
}

/// A blob of any size that takes 4 MiB of memory: the same noise again and again.
#[derive(Debug, Clone)]
pub struct Large {
    pattern: Vec<u8>,
    repeats: u64,
    digest: String,
}

impl Large {
    const PATTERN: u64 = 4 << 20;
    /// Bytes given to one `write`.
    const PIECE: usize = 1 << 20;

    /// A blob of at least `size` bytes (whole patterns) that no other series has.
    pub fn new(size: u64, number: u64) -> Result<Self> {
        let mut pattern = noise(usize::try_from(Self::PATTERN)?);
        put_number(&mut pattern[..DIGITS], number);
        let mut large = Self { pattern, repeats: size.div_ceil(Self::PATTERN), digest: String::new() };
        let mut hash = Sha256::new();
        for _ in 0..large.repeats {
            hash.update(&large.pattern);
        }
        large.digest = written(&hash.finalize());
        Ok(large)
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.repeats * Self::PATTERN
    }

    /// Its digest, as text.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Writes all of it.
    pub fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for _ in 0..self.repeats {
            for piece in self.pattern.chunks(Self::PIECE) {
                out.write_all(piece)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_valid_and_differ_in_their_number() {
        let mut manifest = Manifest::default();
        let one = manifest.numbered(1).to_vec();
        let other = manifest.numbered(u64::MAX).to_vec();
        assert_eq!((one.len(), other.len()), (MANIFEST_SIZE, MANIFEST_SIZE));
        assert_ne!(one, other);
        let value: serde_json::Value = serde_json::from_slice(&other).unwrap();
        assert_eq!(value["annotations"]["compare.number"], u64::MAX.to_string());
        assert_eq!(value["layers"][0]["size"], 1024);
    }

    #[test]
    fn a_large_blob_is_what_its_digest_says() {
        let large = Large::new(5 << 20, 7).unwrap();
        let mut bytes = Vec::new();
        large.write_to(&mut bytes).unwrap();
        assert_eq!((bytes.len() as u64, digest(&bytes)), (large.size(), large.digest().to_owned()));
        assert_ne!(Large::new(5 << 20, 8).unwrap().digest(), large.digest());
    }
}
