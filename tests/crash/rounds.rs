//! kill -9 under concurrent pushes, round after round on one data directory.
//!
//! A kill does not lose the page cache, so no missing fsync is found here; what is found is a wrong order of steps, a lost
//! answer that left half a change, and a recovery that forgets or invents.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::history::{History, Key, Moments, Value};
use crate::pusher::{CONFIG, Pusher, REPOSITORIES};
use crate::support::client::{Client, digest_of};
use crate::support::registry::Registry;
use crate::support::replay::assert_verifies;

const ROUNDS: u64 = 25;
const CLIENTS: u64 = 8;

/// The run can be repeated, though not the schedule of its threads: `CRASH_SEED` chooses another.
const SEED: u64 = 0x7461_6773_746f_6e65;

/// A round whose clients get no answers for so long hangs.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn everything_acknowledged_survives_kill_9_at_any_moment() {
    let seed = env::var("CRASH_SEED").map_or(SEED, |seed| seed.parse().expect("CRASH_SEED is a number"));
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (moments, mut history) = (Moments::default(), History::default());
    let mut registry = Registry::start();
    for repository in REPOSITORIES {
        Client::new(registry.url()).push_blob(repository, CONFIG);
    }
    for round in 0..ROUNDS {
        let noted = push_until_killed(&mut registry, &moments, &mut random, round);
        registry.restart();
        let touched: Vec<Key> = noted.iter().map(|(key, _)| key.clone()).collect();
        history.extend(noted);
        assert_explained(&registry, &moments, &mut history, touched, round);
    }
    let all = history.keys().cloned().collect();
    assert_explained(&registry, &moments, &mut history, all, ROUNDS);
    eprintln!("{} acknowledgements, {} registers", moments.acknowledgements(), history.keys().count());
    registry.stop();
    assert_verifies(&registry.data());
}

/// Lets all clients loose and kills the server somewhere in the midst of them.
fn push_until_killed(
    registry: &mut Registry,
    moments: &Moments,
    random: &mut StdRng,
    round: u64,
) -> Vec<(Key, crate::history::Attempt)> {
    // By the number of answers, so that slow and fast machines are hit under load alike, and then off the beat of the answers.
    let enough = moments.acknowledgements() + random.random_range(10..300);
    let beside = Duration::from_micros(random.random_range(0..3000));
    let url = registry.url().to_owned();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let own = StdRng::seed_from_u64(random.random());
                let pusher = Pusher::new(Client::new(&url), moments, own, format!("r{round}-c{client}"));
                scope.spawn(move || pusher.work())
            })
            .collect();
        let begun = Instant::now();
        // A client that has ended this early has panicked or lost its server: its join tells.
        while moments.acknowledgements() < enough && !clients.iter().any(thread::ScopedJoinHandle::is_finished) {
            assert!(begun.elapsed() < DEADLINE, "round {round}: no answers; stderr:\n{}", registry.stderr());
            thread::sleep(Duration::from_micros(200));
        }
        let early = clients.iter().any(thread::ScopedJoinHandle::is_finished);
        thread::sleep(beside);
        registry.kill9();
        let noted = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client met an answer that it does not accept"));
        let noted = noted.collect();
        assert!(!early, "round {round}: a client lost its server before it was killed; stderr:\n{}", registry.stderr());
        noted
    })
}

/// Every one of `keys` holds what the history explains, with its exact bytes; and the lists of tags agree.
fn assert_explained(registry: &Registry, moments: &Moments, history: &mut History, mut keys: Vec<Key>, round: u64) {
    keys.sort();
    keys.dedup();
    let found: Vec<(&Key, Value)> = thread::scope(|scope| {
        let share = keys.len().div_ceil(4).max(1);
        let readers: Vec<_> = keys
            .chunks(share)
            .map(|keys| {
                let client = Client::new(registry.url());
                scope.spawn(move || keys.iter().map(|key| (key, held(&client, key))).collect::<Vec<_>>())
            })
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("a register that cannot be read")).collect()
    });
    let now = moments.now();
    let violations: Vec<String> = found
        .into_iter()
        .filter_map(|(key, value)| history.observe(key, value, now).err())
        .map(|it| it.to_string())
        .collect();
    assert!(violations.is_empty(), "after the kill of round {round}:\n{}", violations.concat());
    for repository in REPOSITORIES {
        let listed = Client::new(registry.url()).tags(repository).expect("an answer");
        assert_eq!(listed, history.standing_tags(repository), "round {round}: the tags of {repository}");
    }
}

/// What a register holds, whose bytes have to have the digest that they are served under.
fn held(client: &Client, key: &Key) -> Value {
    let answer = match key {
        Key::Blob(repository, digest) => client.get_blob(repository, digest),
        Key::Manifest(repository, digest) => client.get_manifest(repository, digest),
        Key::Tag(repository, tag) => client.get_manifest(repository, tag),
    };
    let answer = answer.expect("an answer");
    if answer.status == 404 {
        return None;
    }
    let answer = answer.expecting(200);
    let digest = digest_of(&answer.body);
    assert_eq!(
        answer.header("Docker-Content-Digest"),
        Some(digest.as_str()),
        "{key:?}: other bytes than promised: {answer}"
    );
    Some(digest)
}
