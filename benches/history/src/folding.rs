//! Replay in memory: each record is verified, decoded and folded.

use crate::figure::{Aim, Row};
use crate::thread_time::timed;
use crate::{Bench, REPOSITORIES};
use anyhow::{Result, ensure};
use std::hint::black_box;
use std::time::Duration;
use tagstone_compare::number::grouped;
use tagstone_compare::process::check_interrupted;
use tagstone_core_benches::Busy;
use tagstone_replay::fold::State;
use tagstone_replay::log::{Ahead, StoredRecord};
use tagstone_schema::Head;

/// The records are made a portion at a time, and that is not measured.
pub(crate) fn replay(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let (mut head, mut state) = (Head::default(), State::alone());
    let (mut events, mut replaying, mut hashing) = (0, Duration::ZERO, Duration::ZERO);
    for portion in Busy::portions(REPOSITORIES, bench.scale.events) {
        check_interrupted()?;
        let stored: Vec<StoredRecord> = portion
            .into_iter()
            .map(|(_, record)| StoredRecord { seq: record.seq(), bytes: record.bytes().to_vec() })
            .collect();
        timed(&mut hashing, || {
            for stored in &stored {
                black_box(blake3::hash(&stored.bytes));
            }
            Ok(())
        })?;
        timed(&mut replaying, || {
            let mut ahead = Ahead::of(stored.into_iter().map(Ok), head);
            for verified in ahead.by_ref() {
                state.foresee(verified.iter().map(|sound| &sound.record));
                for sound in verified {
                    events += sound.record.events.len() as u64;
                    state.apply(&sound.record)?;
                }
            }
            head = ahead.head();
            ahead.broken().map_or(Ok(()), |broken| Err(broken.into()))
        })?;
    }
    ensure!(state.repository_count() as u64 == REPOSITORIES, "{} repositories", state.repository_count());
    let title = format!("replay of {} events, verified, one thread", grouped(events));
    let row = Row::once("replay", title, "events/s", events as f64 / replaying.as_secs_f64());
    let times = replaying.as_secs_f64() / hashing.as_secs_f64();
    Ok(vec![row.aim(Aim::AtLeast(1e6)).beside(times, "BLAKE3 of the same bytes")])
}
