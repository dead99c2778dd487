//! `[writer]` and `[store]`: the one writer and the log beneath it.

use super::form::Number;
use super::reader::Section;

/// The one writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Most commands that share one batch, and so one sync.
    pub batch: u64,
    /// Commands that wait before further ones are turned away.
    pub queue: u64,
}

impl Writer {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self {
            batch: section.take("batch", 256, &Number::new("commands", 1, 10_000)),
            queue: section.take("queue", 4_096, &Number::new("commands", 1, 1_000_000)),
        }
    }
}

/// The store of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Bytes of the log's pages kept in memory.
    pub cache_bytes: u64,
}

impl Store {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self { cache_bytes: section.take("cache_bytes", 8 << 20, &Number::bytes(1 << 20, 1 << 40)) }
    }
}
