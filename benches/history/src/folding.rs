//! Replay: each record is verified, decoded and folded.

use crate::apart::{tell, told};
use crate::figure::{Aim, Row, median};
use crate::thread_time::timed;
use crate::{Bench, REPOSITORIES};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;
use tagstone_compare::number::grouped;
use tagstone_compare::process::check_interrupted;
use tagstone_core_benches::Busy;
use tagstone_replay::fold::State;
use tagstone_replay::log::{Ahead, StoredRecord};
use tagstone_schema::Head;

/// What the process that replayed tells of it.
#[derive(Serialize, Deserialize)]
struct Replayed {
    events: u64,
    events_a_second: f64,
    /// How many times as long as hashing alone it took.
    times_hashing: f64,
}

/// Records of which each was read before any is replayed: few enough to stay in a processor's cache until then, as those do that
/// `tagstone-replay` reads one after the other.
const PORTION: usize = 500;

/// The records are made before, and read a portion at a time by a process that does nothing else: as `tagstone-replay` does, which
/// makes no records either. Neither is measured.
pub(crate) fn replay(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let path = bench.dir.join("records");
    let mut file = BufWriter::new(File::create(&path)?);
    for portion in Busy::portions(REPOSITORIES, bench.scale.events) {
        check_interrupted()?;
        for (_, record) in portion {
            file.write_all(&u32::try_from(record.bytes().len())?.to_le_bytes())?;
            file.write_all(record.bytes())?;
        }
    }
    // Otherwise they would be written to the disk beside what is measured.
    file.into_inner()?.sync_all()?;
    let rounds = 0..bench.scale.replays;
    let replayed: Vec<Replayed> = rounds.map(|_| told("replay", [&path])).collect::<Result<_>>()?;
    std::fs::remove_file(&path)?;
    let events = replayed.first().map_or(0, |round| round.events);
    let title = format!("replay of {} events, verified, one thread", grouped(events));
    let times = median(&replayed.iter().map(|round| round.times_hashing).collect::<Vec<_>>());
    let rounds = replayed.iter().map(|round| round.events_a_second).collect();
    let row = Row::of("replay", title, "events/s", rounds);
    Ok(vec![row.aim(Aim::AtLeast(1e6)).beside(times, "BLAKE3 of the same bytes")])
}

/// Replays the records in a file, and prints how long that takes.
pub(crate) fn tell_replay(path: &Path) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut head, mut state) = (Head::default(), State::alone());
    let (mut events, mut replaying, mut hashing) = (0, Duration::ZERO, Duration::ZERO);
    loop {
        let stored = portion(&mut file, head.seq)?;
        if stored.is_empty() {
            break;
        }
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
                for sound in &verified {
                    events += sound.record.events.len() as u64;
                    state.apply(&sound.record)?;
                }
            }
            head = ahead.head();
            ahead.broken().map_or(Ok(()), |broken| Err(broken.into()))
        })?;
    }
    ensure!(state.repository_count() as u64 == REPOSITORIES, "{} repositories", state.repository_count());
    let times_hashing = replaying.as_secs_f64() / hashing.as_secs_f64();
    tell(&Replayed { events, events_a_second: events as f64 / replaying.as_secs_f64(), times_hashing })
}

/// The next records; none at the end.
fn portion(file: &mut impl Read, mut seq: u64) -> Result<Vec<StoredRecord>> {
    let mut stored = Vec::with_capacity(PORTION);
    let mut length = [0; 4];
    while stored.len() < PORTION && file.read(&mut length[..1])? == 1 {
        file.read_exact(&mut length[1..])?;
        let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length))?];
        file.read_exact(&mut bytes)?;
        seq += 1;
        stored.push(StoredRecord { seq, bytes });
    }
    Ok(stored)
}
