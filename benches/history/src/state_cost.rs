//! What a state costs: memory for each live tag, and a snapshot of it.

use crate::apart::{self, told};
use crate::figure::{Aim, Row};
use crate::thread_time::resident;
use crate::{Bench, REPOSITORIES};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use tagstone_compare::number::grouped;
use tagstone_core_benches::History;
use tagstone_replay::fold::{State, snapshot};
use tagstone_schema::{Head, Record};

/// Tags on each manifest, where they share them.
const SHARED: u64 = 4;

/// What the process that made a state tells of it.
#[derive(Serialize, Deserialize)]
struct Cost {
    bytes_a_manifest: f64,
    bytes_a_tag: f64,
    snapshot_bytes: f64,
    write_seconds: Vec<f64>,
    read_seconds: Vec<f64>,
}

/// Two states of as many tags, each in a process of its own.
pub(crate) fn rows(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let tags = bench.scale.tags;
    let (alone, shared) = (cost(bench, tags, tags)?, cost(bench, tags, tags / SHARED)?);
    let count = grouped(tags);
    let memory = |title: &str, bytes| Row::once("memory-tag", title.replace('#', &count), "bytes", bytes);
    let most = Aim::AtMost(200.0);
    Ok(vec![
        memory(&format!("memory a live tag, # tags, {SHARED} on each manifest"), shared.bytes_a_tag).aim(most),
        memory("memory a live tag, # tags, each on a manifest of its own", alone.bytes_a_tag).aim(most),
        memory("memory a manifest with its two blobs, without tags", alone.bytes_a_manifest),
        Row::of("snapshot", format!("snapshot of {count} tags, written"), "s", shared.write_seconds),
        Row::of("snapshot", format!("snapshot of {count} tags, read"), "s", shared.read_seconds),
        Row::once("snapshot", format!("snapshot of {count} tags"), "MiB", shared.snapshot_bytes / 1024.0 / 1024.0),
    ])
}

fn cost(bench: &Bench<'_>, tags: u64, manifests: u64) -> Result<Cost> {
    let dir = bench.dir.as_os_str().to_owned();
    let [tags, manifests, rounds] =
        [tags, manifests, bench.scale.rounds as u64].map(|number| number.to_string().into());
    told("state", [tags, manifests, rounds, dir])
}

/// Makes a state and prints what it costs. Memory is told by the system, so what the allocator wastes counts.
pub(crate) fn tell(tags: u64, manifests: u64, rounds: usize, dir: &Path) -> Result<()> {
    let (mut history, first) = History::begin(REPOSITORIES);
    let mut state = State::default();
    state.apply(&Record::decode(first.bytes())?)?;
    let empty = resident()?;
    for _ in 0..manifests {
        state.apply(&history.push_untagged())?;
    }
    let pushed = resident()?;
    for number in 0..tags {
        state.apply(&history.tag(number, manifests))?;
    }
    let tagged = resident()?;
    let each = |bytes: u64, count| bytes as f64 / count as f64;
    let path = dir.join("snapshot-alone");
    let (mut write_seconds, mut read_seconds) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        snapshot::write(&path, &state, Head { seq: 1, ..Head::default() })?;
        write_seconds.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let (again, _) = snapshot::read(&path)?;
        read_seconds.push(began.elapsed().as_secs_f64());
        ensure!(again.fingerprint() == state.fingerprint(), "another state was read than was written");
    }
    let cost = Cost {
        bytes_a_manifest: each(pushed.saturating_sub(empty), manifests),
        bytes_a_tag: each(tagged.saturating_sub(pushed), tags),
        snapshot_bytes: std::fs::metadata(&path)?.len() as f64,
        write_seconds,
        read_seconds,
    };
    std::fs::remove_file(&path)?;
    apart::tell(&cost)
}
