//! The clock, as a seam: tests jump it.

use std::time::{SystemTime, UNIX_EPOCH};

use tagstone_schema::Timestamp;

/// Something that tells the time.
pub trait Clock: Send + Sync {
    /// The present instant. It may stand still and go backwards; the writer keeps records increasing all the same.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
