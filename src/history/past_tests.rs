//! What kept states take.

use std::process::Command;
use std::sync::Arc;

use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Id, Origin, Record, RecordHash, References};

use super::*;

/// Set in the process that measures. It does nothing else, so what it takes is what the states take.
const MEASURES: &str = "TAGSTONE_TEST_MEASURES_STATES";

/// A state whose repository has so many tags, each on a manifest of its own.
fn state(repository: &RepositoryName, tags: u32, policies: u32) -> State {
    // As `audit::past` makes them: a repository is there before what was found of it.
    let (held, none) = (Digest::sha256([9; 32]), None);
    let linked =
        Event::BlobLinked { repository: repository.clone(), digest: held.clone(), size: 0, mounted_from: none };
    let unlinked = Event::BlobUnlinked { repository: repository.clone(), digest: held };
    let mut events = vec![Event::LogStarted { log: Id([1; 16]) }, linked, unlinked];
    for at in 0..policies {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&at.to_le_bytes());
        let pattern = Pattern { regex: format!("release-{at}-.*"), matches: true };
        let rule = Rule::Immutability { pattern, include_referrer_tags: false };
        events.push(Event::PolicyActivated { policy: Id(id), scope: Scope::Registry, rule });
    }
    for at in 0..tags {
        let mut raw = [0; 32];
        raw[..4].copy_from_slice(&at.to_le_bytes());
        let digest = Digest::sha256(raw);
        events.push(Event::ManifestPushed {
            repository: repository.clone(),
            digest: digest.clone(),
            size: 2,
            media_type: tagstone_schema::media_type::OCI_INDEX.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: References::default(),
        });
        let tag = format!("tag-{at}").parse().unwrap();
        events.push(Event::TagMoved { repository: repository.clone(), tag, from: None, to: digest });
    }
    let (actor, origin) = (Actor::system("test"), Origin::default());
    let (seq, time, prev) = (1, Timestamp(1), RecordHash::ZERO);
    let mut state = State::default();
    state.apply(&Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events }).unwrap();
    state
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// What states weigh, and what they take once they were asked what protects a tag.
fn weighed_and_taken(states: usize, tags: u32, policies: u32) -> (u64, u64) {
    let repository: RepositoryName = "acme/app".parse().unwrap();
    let before = resident_bytes();
    let kept: Vec<_> = (0..states).map(|_| Arc::new(state(&repository, tags, policies))).collect();
    for state in &kept {
        let live = state.live(&repository, Timestamp(2)).unwrap();
        let (tag, standing) = state.repository(repository.as_str()).unwrap().tags_after(None).next().unwrap();
        assert!(!live.protection.protects(tag, standing));
    }
    let taken = resident_bytes() - before;
    let key = (repository, 1, Question::Tags);
    (kept.iter().map(|state| ByEntries.weight(&key, state)).sum(), taken)
}

#[test]
fn states_weigh_what_they_take() {
    if let Ok(case) = std::env::var(MEASURES) {
        let case: Vec<u32> = case.split(' ').map(|number| number.parse().unwrap()).collect();
        let (weighed, taken) = weighed_and_taken(case[0] as usize, case[1], case[2]);
        let said = format!(
            "{} states of {} tags under {} policies weigh {weighed} bytes and take {taken}",
            case[0], case[1], case[2]
        );
        assert!(weighed >= taken / 10 * 9, "{said}: the cache would keep more than it may");
        assert!(weighed <= taken * 3, "{said}: the cache would keep far less than it may");
        return;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    for case in ["4000 1 0", "400 100 0", "2000 1 1", "1000 20 1", "200 1 10", "40 1 100", "40 1000 1"] {
        let mut measure = Command::new(std::env::current_exe().unwrap());
        let measured = measure.args(["--exact", &name, "--nocapture"]).env(MEASURES, case).output().unwrap();
        let said = String::from_utf8_lossy(&measured.stderr);
        assert!(measured.status.success(), "{said}");
        assert!(String::from_utf8_lossy(&measured.stdout).contains("1 passed"), "nothing was measured: {said}");
    }
}
