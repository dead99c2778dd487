//! Any commands in any batches with restarts at any place: the live state, the reopened state, the fold of the log
//! and a naive model are one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use tagstone::registry::{Command, Snapshot};
use tagstone_replay::content::Layout;
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::MemoryLog;

use crate::commands::submission;
use crate::gate::Gate;
use crate::model::Model;
use crate::random::{Attempt, Knowledge, attempt};
use crate::registry::{Registry, START, begin, folded, open, told_by};

/// The most commands of one batch.
const BATCH: usize = 4;

#[derive(Clone, Debug)]
enum Turn {
    /// Commands that are sent together while the clock shows this.
    Commit(Vec<Attempt>, i64),
    Restart,
}

fn turn() -> impl Strategy<Value = Turn> {
    // Now and then it is a minute later, and then earlier again.
    let clock = prop_oneof![9 => START - 50..START + 200, 1 => START + 60_000_000..START + 60_000_200];
    prop_oneof![
        5 => (vec(attempt(), 1..8), clock).prop_map(|(attempts, clock)| Turn::Commit(attempts, clock)),
        1 => Just(Turn::Restart),
    ]
}

/// Opens the log as a start does, and checks that its own fold tells the same.
fn start_on_disk(layout: &Layout) -> (Registry, Gate) {
    let (mut log, mut snapshot) = open(layout).unwrap();
    if log.head().seq == 0 {
        begin(&mut log);
        snapshot = folded(&log);
    }
    assert_eq!((snapshot.head, snapshot.state.fingerprint().to_string()), told_by(&log));
    start(log, snapshot)
}

fn start(log: impl Log + 'static, snapshot: Snapshot) -> (Registry, Gate) {
    let (gate, at) = Gate::new();
    let mut registry = Registry::watched(log, snapshot, BATCH, at);
    registry.start();
    (registry, gate)
}

/// Sends the commands, and compares every answer with the model's.
fn commit(registry: &Registry, gate: &Gate, model: &mut Model, commands: &[Command], clock: i64) -> TestCaseResult {
    registry.clock.set(clock);
    let submissions = commands.iter().map(|command| submission(command.clone())).collect();
    let mut answers = gate.commit(registry, submissions).into_iter();
    model.begin_batch(clock);
    for batch in commands.chunks(BATCH) {
        model.begin_batch(clock);
        for (at, (command, answer)) in batch.iter().zip(&mut answers).enumerate() {
            if at > 0 && model.lets_expire() {
                model.begin_batch(clock);
            }
            let expected = model.apply(command, clock);
            prop_assert!(expected.fits(&answer), "{:?}: {:?}, expected {:?}", command, answer, expected);
        }
    }
    Ok(())
}

/// Plays the turns on a registry that `start` opens, and opens again.
fn play(turns: &[Turn], start: impl Fn() -> (Registry, Gate)) -> TestCaseResult {
    let (mut registry, mut gate) = start();
    let (mut model, mut knowledge, mut shown) = (Model::new(), Knowledge::default(), START);
    for turn in turns.iter().chain([&Turn::Restart]) {
        match turn {
            Turn::Commit(attempts, clock) => {
                let now = registry.published.snapshot().as_ref().clone();
                knowledge.before = std::mem::replace(&mut knowledge.now, now);
                let commands: Vec<_> = attempts.iter().map(|attempt| knowledge.complete(attempt)).collect();
                commit(&registry, &gate, &mut model, &commands, *clock)?;
                shown = *clock;
            }
            Turn::Restart => {
                registry.stop();
                model.stop(shown);
                (registry, gate) = start();
            }
        }
        prop_assert_eq!(registry.seen().1, model.fingerprint());
    }
    registry.stop();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_reopened_replayed_and_modelled_are_one(turns in vec(turn(), 1..14)) {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        play(&turns, || start_on_disk(&layout))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same without a disk: more of it, and longer.
    #[test]
    fn long_lives_in_memory_are_one_too(turns in vec(turn(), 10..40)) {
        let mut log = MemoryLog::default();
        begin(&mut log);
        play(&turns, || {
            let log = log.reopened();
            let snapshot = folded(&log);
            start(log, snapshot)
        })?;
    }
}
