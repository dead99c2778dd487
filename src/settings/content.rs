//! `[uploads]`, `[content]` and `[manifests]`: how bytes are received, kept and judged.

use std::time::Duration;

use super::form::{Number, Span, Switch};
use super::reader::Section;

/// Upload sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// How long a session that nobody touches is kept.
    pub lifetime: Duration,
}

impl Uploads {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self { lifetime: section.take("lifetime", Duration::from_secs(24 * 3600), &Span::seconds(1, 365 * 24 * 3600)) }
    }
}

/// The bytes of blobs and manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Whether large blobs are written past the page cache.
    pub direct_io: bool,
    /// Blobs up to this size travel with the batch that links them; larger ones are files of their own.
    pub small_blob_bytes: u64,
    /// Bytes of manifests kept in memory.
    pub cache_bytes: u64,
}

impl Content {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self {
            direct_io: section.take("direct_io", true, &Switch),
            // Small blobs pass through the writer's memory, a batch of them at once.
            small_blob_bytes: section.take("small_blob_bytes", 64 << 10, &Number::bytes(0, 1 << 20)),
            cache_bytes: section.take("cache_bytes", 8 << 20, &Number::bytes(0, 1 << 40)),
        }
    }
}

/// What is asked of a manifest's references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifests {
    /// Whether an index is accepted whose children are absent.
    pub sparse_index: bool,
    /// Whether an image is accepted whose config or layers are absent.
    pub sparse_layers: bool,
}

impl Manifests {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self {
            sparse_index: section.take("sparse_index", true, &Switch),
            sparse_layers: section.take("sparse_layers", false, &Switch),
        }
    }
}
