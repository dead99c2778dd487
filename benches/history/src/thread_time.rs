//! What a piece of work took of the processor, and this process of the memory.

use anyhow::{Context, Result};
use std::time::Duration;

/// How long this thread has had a processor: others may want it too.
pub(crate) fn worked() -> Result<Duration> {
    let fields = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(fields.split_whitespace().next().context("no time")?.parse()?))
}

/// Does something, and adds what it took of this thread.
pub(crate) fn timed<T>(taken: &mut Duration, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = worked()?;
    let done = work()?;
    *taken += worked()?.saturating_sub(began);
    Ok(done)
}

/// Bytes of memory that the process has.
pub(crate) fn resident() -> Result<u64> {
    let fields = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = fields.split_whitespace().nth(1).context("no size")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
