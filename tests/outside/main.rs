//! Every parser of bytes from outside, over the seeds of the fuzzer and mutations of them. The same bytes in every run.

mod mutation;
mod rewritten;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tagstone::outside::{TARGETS, Target};
use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::content::scan::Scanner;
use tagstone_replay::export::Reader;
use tagstone_replay::fold::snapshot;
use tagstone_replay::log::anchor;
use tagstone_replay::log::untouched::{CONF, Untouched};
use tagstone_schema::Record;

use mutation::Mutations;

/// Mutations of the seeds of a target. Those that write files or compare automata take some hundred times as long as others.
const MUTATIONS: usize = 4_000;
const SLOW_MUTATIONS: usize = 400;
const SLOW: [&str; 8] = ["bearer", "snapshot", "index_run", "segment", "anchor", "log_file", "pattern", "settings"];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The seeds of a target, by their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

/// What becomes of some bytes: nothing, or the message of the panic.
fn outcome(run: fn(&[u8]), bytes: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| run(bytes))).map_err(|why| {
        let told = why.downcast_ref::<String>().cloned();
        told.or_else(|| why.downcast_ref::<&str>().map(|told| (*told).to_owned())).unwrap_or_default()
    })
}

/// Runs a target over its seeds and mutations of them.
fn attack(target: &Target) {
    let seeds = seeds(target.name);
    for (name, bytes) in &seeds {
        outcome(target.run, bytes).unwrap_or_else(|why| panic!("{}: the seed {name}: {why}", target.name));
    }
    let count = if SLOW.contains(&target.name) { SLOW_MUTATIONS } else { MUTATIONS };
    let bytes: Vec<_> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    for (number, bytes) in Mutations::of(&bytes, target.name).take(count).enumerate() {
        outcome(target.run, &bytes)
            .unwrap_or_else(|why| panic!("{}: mutation {number}: {why}: b\"{}\"", target.name, bytes.escape_ascii()));
    }
}

/// Runs the targets of one half, so that two cores are busy.
fn attack_every_second(from: usize) {
    TARGETS.iter().skip(from).step_by(2).for_each(attack);
}

#[test]
fn no_seed_and_no_mutation_breaks_a_parser() {
    attack_every_second(0);
}

#[test]
fn no_seed_and_no_mutation_breaks_another_parser() {
    attack_every_second(1);
}

#[test]
fn every_target_is_known_to_the_fuzzer_and_has_seeds() {
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap();
    let listed: Vec<_> = bins.iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    let targets: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(listed, targets, "fuzz/Cargo.toml names other targets than src/outside");
    for target in targets {
        let source = fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(source.contains(&format!("run(\"{target}\", bytes)")), "{target}: {source}");
        let seeds = seeds(target);
        assert!(seeds.len() >= 3, "{target} has {} seeds", seeds.len());
        assert!(seeds.iter().all(|(_, bytes)| bytes.len() <= 64 << 10), "a seed of {target} is large");
    }
    let corpora = fs::read_dir(fuzz().join("corpus")).unwrap().count();
    assert_eq!(corpora, TARGETS.len(), "there are seeds of no target");
}

/// Seeds that nothing accepts would only show what is refused at once. `REWRITE_SEEDS=1` makes those anew that can be.
#[test]
fn the_seeds_of_files_are_what_they_are_named() {
    if std::env::var_os("REWRITE_SEEDS").is_some() {
        rewritten::runs();
        rewritten::log_files();
        rewritten::snapshots();
    }
    let seed = |path: &str| fuzz().join("corpus").join(path);
    let (state, head) = snapshot::read(&seed("snapshot/1024-records")).unwrap();
    assert_eq!((head.seq, state.all_loose().count() > 0), (1024, true));
    assert_eq!(anchor::read(&seed("anchor/both-slots")).unwrap().seq, 1024);
    let export = fs::read(seed("export/64-records")).unwrap();
    assert_eq!(Reader::new(&*export).unwrap().filter(Result::is_ok).count(), 64);
    let segment = fs::File::open(seed("segment/small-contents")).unwrap();
    assert!(Scanner::new(1, &segment).unwrap().filter(Result::is_ok).count() > 10);
    let directory = tempfile::tempdir().unwrap();
    fs::copy(seed("index_run/64-records"), directory.path().join(format!("{:020}-{:020}.run", 1, 64))).unwrap();
    assert_eq!(AuditIndex::open(directory.path()).unwrap().reached().seq, 64);
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("blobs")).unwrap();
    fs::write(directory.path().join("conf"), CONF).unwrap();
    fs::copy(seed("log_file/40-records"), directory.path().join("db")).unwrap();
    assert_eq!(Untouched::open(directory.path()).unwrap().read().filter(Result::is_ok).count(), 40);
    for (name, bytes) in seeds("record") {
        assert!(Record::decode(&bytes).is_ok(), "{name}");
    }
}

#[test]
fn a_parser_that_panics_is_found() {
    fn panics_at_a_zero(bytes: &[u8]) {
        assert!(!bytes.contains(&0), "a zero");
    }
    let seeds = [b"some text".to_vec(), b"another one".to_vec()];
    let found =
        Mutations::of(&seeds, "example").take(MUTATIONS).find_map(|bytes| outcome(panics_at_a_zero, &bytes).err());
    assert_eq!(found.as_deref(), Some("a zero"));
    let all: Vec<_> = Mutations::of(&seeds, "example").take(100).collect();
    assert_eq!(all, Mutations::of(&seeds, "example").take(100).collect::<Vec<_>>(), "each run has the same");
    assert_ne!(all, Mutations::of(&seeds, "another").take(100).collect::<Vec<_>>());
}
