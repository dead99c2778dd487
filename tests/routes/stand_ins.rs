//! A clock that can be moved, and a log whose disk can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tagstone::registry::{Clock, SystemClock};
use tagstone_replay::log::{AppendError, Log, RecordBytes, StoreError};
use tagstone_schema::{EncodedRecord, Head, Seq, Timestamp};

/// The clock of the machine, put forward by so many microseconds; or one that stands where it was set.
pub(crate) struct MovableClock {
    pub(crate) forward: AtomicI64,
    pub(crate) set: AtomicI64,
}

/// No clock of a test is set to this.
const NOT_SET: i64 = i64::MIN;

impl Default for MovableClock {
    fn default() -> Self {
        Self { forward: AtomicI64::new(0), set: AtomicI64::new(NOT_SET) }
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        match self.set.load(Ordering::SeqCst) {
            NOT_SET => Timestamp(SystemClock.now().0 + self.forward.load(Ordering::SeqCst)),
            set => Timestamp(set),
        }
    }
}

/// The log of the store, with a disk that can fail.
pub(crate) struct FailingLog {
    pub(crate) log: Box<dyn Log>,
    pub(crate) failing: Arc<AtomicBool>,
    /// While it is set, nothing comes to its end.
    pub(crate) held: Arc<AtomicBool>,
}

impl Log for FailingLog {
    fn head(&self) -> Head {
        self.log.head()
    }

    fn read(&self, from: Seq) -> RecordBytes<'_> {
        self.log.read(from)
    }

    fn append(&mut self, expected: &Head, records: &[EncodedRecord]) -> Result<(), AppendError> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.failing.load(Ordering::SeqCst) {
            let (doing, why) = ("appending", "the test took the disk away".to_owned());
            return Err(StoreError { doing, why }.into());
        }
        self.log.append(expected, records)
    }
}
