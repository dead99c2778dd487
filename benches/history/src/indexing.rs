//! The index of the audit, made from the first record on.

use crate::figure::Row;
use crate::thread_time::timed;
use crate::{Bench, REPOSITORIES};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Duration;
use tagstone_compare::number::grouped;
use tagstone_compare::process::check_interrupted;
use tagstone_core_benches::Busy;
use tagstone_replay::audit::Folded;
use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::fold::State;

/// Records are made and folded a portion at a time, and that is not measured.
pub(crate) fn rows(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let directory = bench.dir.join("index-alone");
    std::fs::create_dir(&directory)?;
    let index = AuditIndex::open(&directory)?;
    let (mut state, mut events, mut adding) = (State::default(), 0, Duration::ZERO);
    for portion in Busy::portions(REPOSITORIES, bench.scale.events) {
        check_interrupted()?;
        let mut folded = Vec::with_capacity(portion.len());
        for (record, encoded) in portion {
            events += record.events.len() as u64;
            folded.push((Folded::apply(&mut state, record)?, encoded.head()));
        }
        timed(&mut adding, || Ok(folded.iter().try_for_each(|(folded, head)| index.add(folded, *head))?))?;
    }
    index.close()?;
    let reached = index.reached();
    ensure!(index.durable() == reached, "the index is durable up to {} of {}", index.durable().seq, reached.seq);
    let bytes = size(&directory)?;
    std::fs::remove_dir_all(&directory)?;
    let title = format!("index of {} events, one thread", grouped(events));
    Ok(vec![
        Row::once("index", title, "events/s", events as f64 / adding.as_secs_f64()),
        Row::once("index", "the same, on disk", "bytes an event", bytes as f64 / events as f64),
    ])
}

/// Bytes of the files right in a directory.
fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(directory)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
