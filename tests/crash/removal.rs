//! kill -9 while clients push, delete, purge and collect: what was purged is nowhere on the disk, what stands is whole, and what was
//! cut off is finished by the next start.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::json;
use tagstone_replay::content::Layout;
use ureq::http::Method;

use crate::support::client::{Answer, Client, Lost, digest_of, manifest};
use crate::support::registry::Registry;
use crate::support::replay::assert_verifies;

const REPOSITORIES: [&str; 3] = ["removal/one", "removal/two", "removal/deep/three"];

/// Every secret begins with it, and goes on with sixteen digits.
const MARK: &str = "MARK-";

/// Far beyond what a start needs to finish removals, which it begins after a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// An image with a mark in its layer, its config and its manifest.
#[derive(Clone)]
struct Image {
    repository: &'static str,
    tag: String,
    mark: String,
    manifest: Vec<u8>,
    blobs: Vec<Vec<u8>>,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its push was acknowledged.
    Pushed,
    /// A request to push, delete or purge it got no answer.
    InFlight,
    /// It was deleted; its bytes go some time.
    Deleted,
    /// Its purge was acknowledged.
    Purged,
}

/// How a run goes.
struct Run {
    settings: &'static [(&'static str, &'static str)],
    rounds: u64,
    clients: u64,
    layers: &'static [usize],
}

/// Blobs in segments and as files, with the grace of a moment: what nobody names goes all the time.
#[test]
fn removal_survives_kill_9() {
    let settings =
        &[("TAGSTONE_COLLECT_INTERVAL", "1s"), ("TAGSTONE_COLLECT_GRACE", "1s"), ("TAGSTONE_COLLECT_UNTAGGED", "1s")];
    play(&Run { settings, rounds: 12, clients: 6, layers: &[300, 3_000, 20_000, 70_000, 200_000] });
}

/// Blobs that fill segments, so that these are compacted.
#[test]
fn removal_and_compaction_survive_kill_9() {
    let settings = &[
        ("TAGSTONE_COLLECT_INTERVAL", "1s"),
        ("TAGSTONE_COLLECT_GRACE", "0s"),
        ("TAGSTONE_COLLECT_UNTAGGED", "0s"),
        ("TAGSTONE_CONTENT_SMALL_BLOB_BYTES", "1048576"),
    ];
    let registry = play(&Run { settings, rounds: 6, clients: 4, layers: &[900_000, 1_000_000] });
    assert!(!Layout::new(registry.data()).segment(1).exists(), "nothing was compacted");
}

fn play(run: &Run) -> Registry {
    let seed = env::var("CRASH_SEED").map_or(0x7075_7267, |seed| seed.parse().expect("a number"));
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut registry = Registry::start_with(run.settings);
    let mut images: Vec<Image> = Vec::new();
    for round in 0..run.rounds {
        let own = StdRng::seed_from_u64(random.random());
        images = work_until_killed(&mut registry, run, round, own, images);
        let purged = |image: &&Image| image.standing == Standing::Purged;
        let left = marks(&registry.data());
        for image in images.iter().filter(purged) {
            assert!(!left.contains(&image.mark), "round {round}: {} was purged and lies on the disk", image.tag);
        }
        if round % 3 == 2 {
            // As the kill left it: nothing that the log holds is missing.
            assert_verifies(&registry.data());
        }
        registry.restart();
        settle(&registry, &mut images, round);
    }
    let count = |standing| images.iter().filter(|image| image.standing == standing).count();
    eprintln!(
        "{} purged, {} deleted, {} stand",
        count(Standing::Purged),
        count(Standing::Deleted),
        count(Standing::Pushed)
    );
    assert!(count(Standing::Purged) > 20 && count(Standing::Pushed) > 5);
    registry.stop();
    assert_verifies(&registry.data());
    assert!(!registry.stderr().contains("panicked"), "{}", registry.stderr());
    registry
}

fn work_until_killed(
    registry: &mut Registry,
    run: &Run,
    round: u64,
    mut random: StdRng,
    images: Vec<Image>,
) -> Vec<Image> {
    let answers = AtomicU64::new(0);
    let enough = random.random_range(30..200);
    let beside = Duration::from_micros(random.random_range(0..5000));
    let url = registry.url().to_owned();
    let mut shares: Vec<Vec<Image>> = vec![Vec::new(); usize::try_from(run.clients).expect("a few")];
    let count = shares.len();
    images.into_iter().enumerate().for_each(|(at, image)| shares[at % count].push(image));
    thread::scope(|scope| {
        let clients: Vec<_> = shares
            .into_iter()
            .enumerate()
            .map(|(number, images)| {
                let own = StdRng::seed_from_u64(random.random());
                let (client, name) = (Client::new(&url), format!("r{round}-c{number}"));
                let mut worker = Worker { client, name, random: own, images, layers: run.layers, answers: &answers };
                scope.spawn(move || {
                    while worker.step().is_ok() {}
                    worker.images
                })
            })
            .collect();
        let begun = Instant::now();
        while answers.load(Ordering::SeqCst) < enough && !clients.iter().any(thread::ScopedJoinHandle::is_finished) {
            assert!(begun.elapsed() < PATIENCE, "round {round}: no answers; stderr:\n{}", registry.stderr());
            thread::sleep(Duration::from_micros(200));
        }
        let early = clients.iter().any(thread::ScopedJoinHandle::is_finished);
        thread::sleep(beside);
        registry.kill9();
        let images =
            clients.into_iter().flat_map(|client| client.join().expect("an answer that is accepted")).collect();
        assert!(!early, "round {round}: a client lost its server before it was killed; stderr:\n{}", registry.stderr());
        images
    })
}

/// Asks for every image, and decides what was in flight. What is gone for readers has to leave the disk.
fn settle(registry: &Registry, images: &mut [Image], round: u64) {
    let client = Client::new(registry.url());
    let mut cut_off = BTreeSet::new();
    for image in images.iter_mut() {
        let stands = image.is_whole(&client).unwrap_or_else(|why| panic!("round {round}, {}: {why}", image.tag));
        match (image.standing, stands) {
            (Standing::Pushed, true) | (Standing::Deleted | Standing::Purged, false) => {}
            (Standing::InFlight, true) => image.standing = Standing::Pushed,
            (Standing::InFlight, false) => {
                image.standing = Standing::Deleted;
                cut_off.insert(image.mark.clone());
            }
            (standing, stands) => panic!("round {round}: {} is {standing:?}, and stands: {stands}", image.tag),
        }
    }
    // A purge goes by its record; whatever else is gone goes by collection, which has no grace to speak of here. What a push has
    // left that came to no end lies there for as long as its session, which has a name of its own.
    let gone = |image: &&Image| matches!(image.standing, Standing::Purged) || cut_off.contains(&image.mark);
    let gone: BTreeSet<_> = images.iter().filter(gone).map(|image| image.mark.clone()).collect();
    let begun = Instant::now();
    loop {
        let left = marks(&registry.data());
        let left: Vec<_> = left.intersection(&gone).collect();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "round {round}: {left:?} stay on the disk; stderr:\n{}", registry.stderr());
        thread::sleep(Duration::from_millis(100));
    }
}

/// The marks in all files of a data directory, but for those of uploads that have come to no end.
fn marks(data: &Path) -> BTreeSet<String> {
    let mut grep = Command::new("grep");
    grep.args(["-rhoaE", "--exclude-dir=uploads", &format!("{MARK}[0-9a-f]{{16}}")]).arg(data);
    let found = grep.output().expect("run grep");
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

impl Image {
    /// Whether it is there: then all of it, and if not, nothing of it can be read.
    fn is_whole(&self, client: &Client) -> Result<bool, String> {
        let digest = digest_of(&self.manifest);
        let answer = client.get_manifest(self.repository, &digest).expect("an answer");
        let tagged = client.get_manifest(self.repository, &self.tag).expect("an answer");
        if answer.status == 404 {
            // The first blob is the layer of its own.
            let blob = client.get_blob(self.repository, &digest_of(&self.blobs[0])).expect("an answer");
            if self.standing == Standing::Purged && (blob.status != 404 || tagged.status != 404) {
                return Err(format!("the manifest is gone, and not its layer or tag: {blob}\n{tagged}"));
            }
            return Ok(false);
        }
        if answer.status != 200 || answer.body != self.manifest {
            return Err(answer.to_string());
        }
        for bytes in &self.blobs {
            let blob = client.get_blob(self.repository, &digest_of(bytes)).expect("an answer");
            if blob.status != 200 || blob.body != *bytes {
                return Err(blob.to_string());
            }
        }
        Ok(true)
    }
}

/// Whether the tag was locked, by an erasure that the death of the server has cut off behind its first step.
fn is_locked(answer: &Answer) -> bool {
    let says = String::from_utf8_lossy(&answer.body);
    [409, 422].contains(&answer.status) && (says.contains("tag_immutable") || says.contains("TAG_IMMUTABLE"))
}

fn deleted(answer: &Answer) -> Standing {
    assert_eq!(answer.status, 202, "{answer}");
    Standing::Deleted
}

/// One client.
struct Worker<'a> {
    client: Client,
    name: String,
    random: StdRng,
    images: Vec<Image>,
    layers: &'a [usize],
    answers: &'a AtomicU64,
}

impl Worker<'_> {
    fn step(&mut self) -> Result<(), Lost> {
        match self.random.random_range(0..20) {
            0..9 => self.push(),
            9..11 => self.remove(|client, image| {
                let answer = client.delete_manifest(image.repository, &digest_of(&image.manifest))?;
                Ok(if is_locked(&answer) { Standing::Pushed } else { deleted(&answer) })
            }),
            11..15 => {
                let by_digest = self.random.random_bool(0.3);
                self.remove(|client, image| {
                    let reference = if by_digest { digest_of(&image.manifest) } else { image.tag.clone() };
                    let body = json!({"reference": reference, "reason": "a leak"}).to_string();
                    let at = format!("/api/v1/repository/{}/purge", image.repository);
                    let answer = client.send(Method::POST, &at, &[], body.as_bytes())?;
                    if is_locked(&answer) {
                        return Ok(Standing::Pushed);
                    }
                    let answer = answer.expecting(200);
                    let report = answer.json();
                    let removed = report["blobs_removed"].as_array().map_or(0, Vec::len);
                    let kept = report["kept"].as_array().expect("a list");
                    let is_sent = |kept: &serde_json::Value| kept["why"] == "being_pushed";
                    if kept.iter().any(is_sent) {
                        // Its push had to begin again, so that a second manifest may follow. Collection takes it.
                        return Ok(Standing::Deleted);
                    }
                    assert!(
                        removed >= 2 && report["manifests_removed"].as_array().map(Vec::len) == Some(1),
                        "{answer}"
                    );
                    Ok(Standing::Purged)
                })
            }
            15 | 16 => self.remove(|client, image| {
                let tag = format!("/api/v1/repository/{}/tag/{}", image.repository, image.tag);
                client.send(Method::PUT, &tag, &[], br#"{"immutable": true}"#)?.expecting(201);
                let body = json!({"reason": "a leak", "purge": true}).to_string();
                let answer = client.send(Method::POST, &format!("{tag}/erase"), &[], body.as_bytes())?.expecting(200);
                let is_sent = String::from_utf8_lossy(&answer.body).contains("being_pushed");
                Ok(if is_sent { Standing::Deleted } else { Standing::Purged })
            }),
            17 => {
                // One may be under way.
                let answer = self.client.send(Method::POST, "/api/v1/collect", &[], b"")?;
                assert!([200, 409].contains(&answer.status), "{answer}");
                Ok(())
            }
            _ => {
                let Some(image) = self.images.iter().find(|image| image.standing == Standing::Pushed) else {
                    return Ok(());
                };
                let answer = self.client.get_manifest(image.repository, &image.tag)?;
                assert_eq!(answer.status, 200, "{answer}");
                Ok(())
            }
        }?;
        self.answers.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Pushes an image with a base layer that all share. Where its blobs were collected before its manifest came, it begins again.
    fn push(&mut self) -> Result<(), Lost> {
        let repository = REPOSITORIES[self.random.random_range(0..REPOSITORIES.len())];
        let mark = format!("{MARK}{:016x}", self.random.random::<u64>());
        let tag = format!("{}-{}", self.name, self.images.len());
        let mut layer = vec![0; self.layers[self.random.random_range(0..self.layers.len())]];
        self.random.fill_bytes(&mut layer);
        let middle = layer.len() / 2;
        layer[middle..middle + mark.len()].copy_from_slice(mark.as_bytes());
        let config = json!({"note": mark}).to_string().into_bytes();
        let base = vec![b'b'; 5_000];
        let described = [(digest_of(&base), base.len()), (digest_of(&layer), layer.len())];
        let described: Vec<_> = described.iter().map(|(digest, size)| (digest.as_str(), *size)).collect();
        let bytes = manifest((&digest_of(&config), config.len()), &described, &mark);
        let blobs = vec![layer, config, base];
        self.images.push(Image { repository, tag, mark, manifest: bytes, blobs, standing: Standing::InFlight });
        let image = self.images.len() - 1;
        for _ in 0..50 {
            for blob in self.images[image].blobs.clone() {
                self.push_blob(repository, &blob)?;
            }
            let Image { tag, manifest, .. } = &self.images[image];
            let answer = self.client.put_manifest(repository, tag, manifest)?;
            if answer.status == 201 {
                self.images[image].standing = Standing::Pushed;
                return Ok(());
            }
            assert!(String::from_utf8_lossy(&answer.body).contains("MANIFEST_BLOB_UNKNOWN"), "{answer}");
        }
        panic!("no push comes to its end");
    }

    fn push_blob(&mut self, repository: &str, bytes: &[u8]) -> Result<(), Lost> {
        let digest = digest_of(bytes);
        if self.random.random_bool(0.5) {
            let at = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            self.client.send(Method::POST, &at, &[("Content-Type", "application/octet-stream")], bytes)?.expecting(201);
        } else {
            let location = self.client.open_upload(repository)?.expecting(202).location();
            self.client.close_upload(&location, &digest, bytes)?.expecting(201);
        }
        Ok(())
    }

    fn remove(&mut self, remove: impl FnOnce(&Client, &Image) -> Result<Standing, Lost>) -> Result<(), Lost> {
        let standing: Vec<_> =
            (0..self.images.len()).filter(|at| self.images[*at].standing == Standing::Pushed).collect();
        let Some(at) = standing.get(self.random.random_range(0..standing.len().max(1))) else { return Ok(()) };
        self.images[*at].standing = Standing::InFlight;
        self.images[*at].standing = remove(&self.client, &self.images[*at])?;
        Ok(())
    }
}
