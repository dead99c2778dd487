//! How long it takes until a registry with a long history is ready.

use crate::Bench;
use crate::figure::{Aim, Row, median};
use crate::registry::Registry;
use anyhow::{Context, Result};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};
use tagstone_compare::image::{MANIFEST_TYPE, Manifest, series};
use tagstone_compare::number::grouped;
use tagstone_compare::upload;

/// What every start should take at most, in seconds.
const AIM: Aim = Aim::AtMost(5.0);

/// Memory is looked at so long after a start.
const SETTLED: Duration = Duration::from_secs(1);

/// The repository that takes the pushes of a registry that is killed.
const PUSHED: &str = "bench/pushed";

pub(crate) fn first(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    let first = bench.first_start()?;
    Ok(vec![
        Row::once("first-start", "first start, no snapshot and no index, to /readyz", "s", first.ready),
        Row::once("first-start", "the same, until history can be asked for", "s", first.indexed),
        Row::once("first-start", "clean stop after it, with the snapshot", "s", first.stopped),
    ])
}

pub(crate) fn after_a_stop(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    let (mut ready, mut memory, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        reading.push(bench.read_files()?);
        let registry = bench.start()?;
        ready.push(registry.ready);
        std::thread::sleep(SETTLED);
        memory.push(registry.memory()?);
        registry.stop()?;
    }
    let times = median(&ready) / median(&reading);
    let start = Row::of("start", "start after a clean stop, to /readyz", "s", ready);
    Ok(vec![
        start.aim(AIM).beside(times, "reading log and snapshot"),
        Row::of("memory-server", "memory a second after that", "MiB", memory),
    ])
}

/// What was pushed behind the snapshot is verified and folded.
pub(crate) fn after_a_kill(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    let (mut ready, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..bench.scale.rounds {
        let registry = bench.start()?;
        push(&registry, bench.scale.pushes)?;
        registry.kill()?;
        reading.push(bench.read_files()?);
        let registry = bench.start()?;
        ready.push(registry.ready);
        registry.wait_for_index()?;
        // A snapshot behind the pushes, so that each round finds as many.
        registry.stop()?;
    }
    let times = median(&ready) / median(&reading);
    let title = format!("start after kill -9 behind {} pushes, to /readyz", grouped(bench.scale.pushes));
    Ok(vec![Row::of("start-killed", title, "s", ready).aim(AIM).beside(times, "reading log and snapshot")])
}

/// After the machine was started anew, as it were. Nothing where the page cache is not ours to drop.
pub(crate) fn cold(bench: &mut Bench<'_>) -> Result<Vec<Row>> {
    bench.first_start()?;
    if !drop_page_cache("start-cold")? {
        return Ok(Vec::new());
    }
    let registry = bench.start()?;
    let ready = registry.ready;
    registry.stop()?;
    Ok(vec![Row::once("start-cold", "start after a clean stop, nothing in the page cache", "s", ready).aim(AIM)])
}

/// Pushes manifests, each under a tag of its own.
fn push(registry: &Registry, pushes: u64) -> Result<()> {
    let (mut connection, mut manifest, series) = (registry.connect()?, Manifest::default(), series());
    upload::blobs(&mut connection, PUSHED)?;
    for number in series..series + pushes {
        let path = format!("/v2/{PUSHED}/manifests/p{number}");
        connection.ask(201, "PUT", &path, MANIFEST_TYPE, manifest.numbered(number))?;
    }
    Ok(())
}

/// Drops what the system keeps of files; `false`, and said so, without the right to.
pub(crate) fn drop_page_cache(key: &str) -> Result<bool> {
    rustix::fs::sync();
    match std::fs::write("/proc/sys/vm/drop_caches", "3") {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            eprintln!("  {key} is left out: only root can drop the page cache");
            Ok(false)
        }
        Err(error) => Err(error).context("dropping the page cache"),
    }
}

impl Bench<'_> {
    /// Reads the log and the snapshot and throws them away, as `cat` to `/dev/null` would; the seconds that it took.
    fn read_files(&self) -> Result<f64> {
        let layout = &self.made.as_ref().context("no history was made")?.layout;
        let (began, mut buffer) = (Instant::now(), vec![0; 1 << 20]);
        read_all(&layout.snapshot(), &mut buffer)?;
        read_all(&layout.log(), &mut buffer)?;
        Ok(began.elapsed().as_secs_f64())
    }
}

/// Reads a file, or all files below a directory.
fn read_all(path: &Path, buffer: &mut [u8]) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            read_all(&entry?.path(), buffer)?;
        }
        return Ok(());
    }
    let mut file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    while file.read(buffer)? > 0 {}
    Ok(())
}
