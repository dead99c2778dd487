//! A log in memory that fails on request: the other implementation of the seam, for tests of everything above it.

use std::sync::{Arc, Mutex, PoisonError};

use tagstone_schema::{EncodedRecord, Head, Seq};

use super::{AppendError, Log, RecordBytes, StoreError, StoredRecord};

/// What the next append does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    #[default]
    None,
    /// It fails, and nothing of it survives: the write itself was refused.
    LoseAll,
    /// It fails, although everything survives: only the sync failed.
    KeepAll,
    /// It fails, and only the first record survives: the power went in the middle.
    KeepFirst,
    /// Somebody else has appended before.
    Conflict,
}

/// A log in memory. Clones share the records, so a test can open it again as after a restart.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    shared: Arc<Mutex<Shared>>,
    poisoned: bool,
}

#[derive(Debug, Default)]
struct Shared {
    records: Vec<EncodedRecord>,
    next: Fault,
}

impl MemoryLog {
    /// Makes the next append fail.
    pub fn fail_next(&self, fault: Fault) {
        self.locked().next = fault;
    }

    /// The same records, as a restarted process finds them.
    pub fn reopened(&self) -> Self {
        Self { shared: self.shared.clone(), poisoned: false }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn head(&self) -> Head {
        self.locked().records.last().map(EncodedRecord::head).unwrap_or_default()
    }

    fn read(&self, from: Seq) -> RecordBytes<'_> {
        let records = self.locked().records.clone();
        Box::new(
            records
                .into_iter()
                .filter(move |record| record.seq() >= from)
                .map(|record| Ok(StoredRecord { seq: record.seq(), bytes: record.bytes().to_vec() })),
        )
    }

    fn append(&mut self, expected: &Head, records: &[EncodedRecord]) -> Result<(), AppendError> {
        let found = self.head();
        let fault = std::mem::take(&mut self.locked().next);
        if self.poisoned {
            return Err(StoreError::new("appending", "an earlier append failed").into());
        }
        if found != *expected || fault == Fault::Conflict {
            return Err(AppendError::Conflict { expected: *expected, found });
        }
        let kept = match fault {
            Fault::None | Fault::Conflict | Fault::KeepAll => records.len(),
            Fault::LoseAll => 0,
            Fault::KeepFirst => records.len().min(1),
        };
        self.locked().records.extend_from_slice(&records[..kept]);
        if fault == Fault::None {
            return Ok(());
        }
        self.poisoned = true;
        Err(StoreError::new("appending", "a fault was injected").into())
    }
}
