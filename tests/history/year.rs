//! The year, played once for all tests of this binary.

use std::path::Path;
use std::sync::OnceLock;

use futures_util::future::join_all;
use tagstone::registry::{Committed, Order, Rejection, Report, Submission, Way, WriteError, WriterHandle};
use tagstone::settings::Settings;
use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Id, Origin, Record, Timestamp};
use tempfile::TempDir;

use crate::account::{Account, Expected, Refusal};
use crate::questions::{self, Door};
use crate::registry::{Registry, run};
use crate::script::{DAY, Script, Step};

/// What everything is drawn from.
pub(crate) const SEED: u64 = 2040;
/// The first instant: 2040-01-01T00:00:00Z. No machine's clock is so late, and none disturbs the times of the records.
const START: i64 = 2_208_988_800_000_000;
const LOG: Id = Id([1; 16]);
/// How often a copy of everything is kept.
const SNAPSHOTS: i64 = 40;

/// A year that is over.
pub(crate) struct Year {
    pub(crate) account: Account,
    /// The data directory of the stopped registry.
    directory: TempDir,
    /// What the registry said of each snapshot: seq and fingerprint.
    pub(crate) fingerprints: Vec<(u64, String)>,
}

impl Year {
    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }
}

/// The year.
pub(crate) fn year() -> &'static Year {
    static YEAR: OnceLock<Year> = OnceLock::new();
    YEAR.get_or_init(|| {
        let year = std::thread::spawn(|| {
            let (sender, year) = std::sync::mpsc::channel();
            run(async move { sender.send(played().await).unwrap_or_default() });
            year.recv().expect("a year that was played")
        });
        year.join().unwrap_or_else(|_| panic!("the year was not played to its end; seed {SEED}"))
    })
}

/// An empty log that begins with the year.
fn begun() -> TempDir {
    let directory = tempfile::Builder::new().prefix("year-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let layout = Layout::new(directory.path());
    let mut state = State::default();
    let mut log = EmbeddedLog::open(&layout, Options::default(), &mut |record| state.apply(record)).unwrap().log;
    let head = log.head();
    let record = Record {
        format: FORMAT_VERSION,
        seq: 1,
        time: Timestamp(START),
        prev: head.hash,
        actor: Actor::system("test"),
        origin: Origin::default(),
        events: vec![Event::LogStarted { log: LOG }],
    };
    log.append(&head, &[record.encode().unwrap()]).unwrap();
    directory
}

async fn played() -> Year {
    let mut account = Account::new(START, &LOG.to_string());
    let mut registry = Registry::open(begun(), Settings::default()).await;
    account.started();
    let mut script = Script::new(SEED);
    let mut fingerprints = Vec::new();
    let (end, mut next_snapshot) = (START + 365 * DAY, START);
    while account.now < end {
        account.now += script.pause(account.now);
        registry.set_clock(Timestamp(account.now));
        burst(&registry, &mut account, &mut script).await;
        if account.now >= next_snapshot {
            next_snapshot += 365 * DAY / SNAPSHOTS;
            account.take_snapshot();
            let head = questions::head(&Door::Here(&registry), &account).await;
            fingerprints.push((account.head.seq, head));
            if fingerprints.len() % 3 == 1 {
                questions::of_now(&Door::Here(&registry), &account, &mut script.random).await;
            }
            if fingerprints.len().is_multiple_of(15) {
                registry = restarted(registry, &mut account, &mut script, fingerprints.len() == 30).await;
            }
        }
    }
    let fingerprint = questions::head(&Door::Here(&registry), &account).await;
    let (directory, _) = registry.stop();
    // That changes nothing of the state.
    account.record_refusals();
    account.take_snapshot();
    fingerprints.push((account.head.seq, fingerprint));
    println!("seed {SEED}: {} commands, {} records, {} events", script.count, account.head.seq, account.happened.len());
    Year { account, directory, fingerprints }
}

/// Stops and starts, sometimes without the index, and asks again.
async fn restarted(registry: Registry, account: &mut Account, script: &mut Script, without_index: bool) -> Registry {
    let registry = registry
        .restarted_after(|layout| {
            if without_index {
                std::fs::remove_dir_all(layout.index()).unwrap();
            }
        })
        .await;
    account.record_refusals();
    account.started();
    registry.set_clock(Timestamp(account.now));
    questions::head(&Door::Here(&registry), account).await;
    questions::of_now(&Door::Here(&registry), account, &mut script.random).await;
    registry
}

/// What happens at one moment: all of it waits for the writer together.
async fn burst(registry: &Registry, account: &mut Account, script: &mut Script) {
    let mut waiting = Vec::new();
    loop {
        for step in script.next(account) {
            match step {
                Step::Submit(submission, document) => {
                    let expected = account.play(&submission, document.as_ref());
                    waiting.push(answered(registry.writer(), submission, expected));
                }
                // A run looks at what was published.
                Step::Prune(policy, actor, origin) => {
                    join_all(waiting.drain(..)).await;
                    prune(registry, account, &policy, actor, origin);
                }
            }
        }
        if !script.goes_on() {
            break;
        }
    }
    join_all(waiting).await;
}

async fn answered(writer: WriterHandle, submission: Submission, expected: Expected) {
    let told = format!("{:?} by {}", submission.command, submission.actor.name);
    let answer = match writer.submit(submission).await {
        Ok(Committed { seq: Some(seq), .. }) => Expected::Committed(seq),
        Ok(Committed { seq: None, .. }) => Expected::Unchanged,
        Err(WriteError::Rejected(rejection)) => Expected::Refused(refusal(&rejection)),
        Err(error) => panic!("seed {SEED}: {told}: {error}"),
    };
    assert_eq!(answer, expected, "seed {SEED}: {told}");
}

fn refusal(rejection: &Rejection) -> Refusal {
    match rejection {
        Rejection::Immutable(_) => Refusal::Immutable,
        Rejection::Spent { .. } => Refusal::Spent,
        Rejection::InUse { .. } => Refusal::InUse,
        Rejection::ReferencesMissing { .. } => Refusal::Missing,
        Rejection::PreconditionFailed { .. } => Refusal::Precondition,
        Rejection::PolicyUnknown { .. } => Refusal::PolicyUnknown,
        Rejection::PolicyExists { .. } => Refusal::PolicyExists,
        Rejection::PolicyNotDraft { .. } => Refusal::PolicyNotDraft,
        Rejection::PolicyConflict(_) => Refusal::PolicyConflict,
        Rejection::RepositoryUnknown { .. }
        | Rejection::BlobUnknown { .. }
        | Rejection::ManifestUnknown { .. }
        | Rejection::TagUnknown { .. }
        | Rejection::TagsUnknown { .. } => Refusal::Unknown,
        other => panic!("seed {SEED}: the script does not expect: {other}"),
    }
}

/// A run waits for the writer, so it has a thread of its own, as it has in the server.
fn prune(registry: &Registry, account: &mut Account, policy: &str, actor: Actor, origin: Origin) {
    let pruner = registry.pruner();
    let mut run = [7; 16];
    run[..8].copy_from_slice(&account.head.seq.to_be_bytes());
    let run = Id::from_random(run);
    let mut report = Report::new(run, usize::MAX);
    let order = Order { policy: policy.parse().unwrap(), way: Way::Delete, actor, origin };
    let expected = account.prune(policy, &run.to_string(), &order.actor, &order.origin);
    std::thread::scope(|scope| {
        scope.spawn(|| pruner.run(&order, &mut report)).join().unwrap().unwrap_or_else(|error| {
            panic!("seed {SEED}: a run of {policy} behind record {}: {error}", account.head.seq);
        });
    });
    let deleted = report.deleted.entries.iter().map(|one| (one.repository.to_string(), one.tag.to_string()));
    assert_eq!(deleted.collect::<Vec<_>>(), expected, "seed {SEED}: a run of {policy}");
}
