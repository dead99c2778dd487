//! The load of those who push and pull.

use crate::registry::Registry;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tagstone_compare::image::{MANIFEST_TYPE, Manifest, series};
use tagstone_compare::upload;

const REPOSITORY: &str = "load/app";

/// Clients that push, each under tags of its own; as many pull.
const CLIENTS: u64 = 8;

/// What the clients have felt.
pub(crate) struct Figures {
    /// Pushes a second.
    pub(crate) pushes: f64,
    /// Milliseconds.
    pub(crate) push_p99: f64,
    pub(crate) push_worst: f64,
    pub(crate) pull_p99: f64,
}

/// The load, which goes on with new manifests in every run.
pub(crate) struct Load {
    next: AtomicU64,
}

impl Load {
    /// Puts into the registry what all manifests name, and one to be pulled.
    pub(crate) fn prepare(registry: &Registry) -> Result<Self> {
        let (mut connection, first) = (registry.connect()?, series());
        upload::blobs(&mut connection, REPOSITORY)?;
        let mut manifest = Manifest::default();
        let path = format!("/v2/{REPOSITORY}/manifests/pulled");
        connection.ask(201, "PUT", &path, MANIFEST_TYPE, manifest.numbered(first))?;
        Ok(Self { next: AtomicU64::new(first + 1) })
    }

    /// Pushes and pulls for so long, or until `is_over`.
    pub(crate) fn run(&self, registry: &Registry, most: Duration, is_over: &dyn Fn() -> bool) -> Result<Figures> {
        let ended = AtomicBool::new(false);
        let begun = Instant::now();
        let (pushes, pulls) = std::thread::scope(|scope| {
            let pushing: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let ended = &ended;
                    scope.spawn(move || self.push(registry, client, ended))
                })
                .collect();
            let pulling: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| pull(registry, &ended))).collect();
            while begun.elapsed() < most && !is_over() {
                std::thread::sleep(Duration::from_millis(10));
            }
            ended.store(true, Ordering::Relaxed);
            (gathered(pushing), gathered(pulling))
        });
        let took = begun.elapsed().as_secs_f64();
        let (pushes, pulls) = (pushes?, pulls?);
        let last = |times: &[f64]| times.last().copied().unwrap_or_default();
        Ok(Figures {
            pushes: pushes.len() as f64 / took,
            push_p99: p99(&pushes),
            push_worst: last(&pushes),
            pull_p99: p99(&pulls),
        })
    }

    fn push(&self, registry: &Registry, client: u64, ended: &AtomicBool) -> Result<Vec<f64>> {
        let (mut connection, mut manifest, mut times) = (registry.connect()?, Manifest::default(), Vec::new());
        while !ended.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = format!("/v2/{REPOSITORY}/manifests/tag-{client}-{number}");
            let begun = Instant::now();
            connection.ask(201, "PUT", &path, MANIFEST_TYPE, manifest.numbered(number))?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    }
}

/// Slowly, so that pulls measure how long they wait, and do not take the processor from the pushes.
fn pull(registry: &Registry, ended: &AtomicBool) -> Result<Vec<f64>> {
    let (mut connection, mut times) = (registry.connect()?, Vec::new());
    while !ended.load(Ordering::Relaxed) {
        let begun = Instant::now();
        connection.get(&format!("/v2/{REPOSITORY}/manifests/pulled"))?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(times)
}

/// All times, in order.
fn gathered(clients: Vec<std::thread::ScopedJoinHandle<'_, Result<Vec<f64>>>>) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.join().ok().context("a client panicked")??);
    }
    all.sort_unstable_by(f64::total_cmp);
    Ok(all)
}

fn p99(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() * 99 / 100).or(sorted.last()).copied().unwrap_or_default()
}
