//! The time of day.

use std::time::SystemTime;

use tagstone_schema::Timestamp;

/// Now, by the clock of this machine.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
