//! Prune runs over the one writer: what happens while one is under way.

use std::sync::{Arc, Mutex};

use tagstone::registry::{
    Clock, Command, CreatePolicy, Expiry, Lock, Order, Pruner, Rejection, Report, RunError, SetTag, Stop, Submission,
    Way, WhySkipped, WriteError, WriterHandle,
};
use tagstone_replay::log::memory::MemoryLog;
use tagstone_schema::policy::{PruneMethod, Rule, Scope};
use tagstone_schema::{Actor, Event, Id, Origin, Timestamp};

use crate::commands::{image, name, push, put, submission, tag};
use crate::fake_disk::Step;
use crate::registry::{Registry, begin, block_on, folded, records};

const POLICY: Id = Id([7; 16]);
const RUN: Id = Id([9; 16]);

type Act = Box<dyn FnOnce() + Send>;

/// A clock that does something else when it is asked: a run asks when it has seen the tags, and before it deletes any.
#[derive(Default)]
struct Meddler(Mutex<Option<Act>>);

impl Clock for Meddler {
    fn now(&self) -> Timestamp {
        let act = self.0.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        Timestamp(0)
    }
}

struct Stage {
    registry: Registry,
    log: MemoryLog,
    pruner: Arc<Pruner>,
    meddler: Arc<Meddler>,
    /// What is done when the next records are durable.
    appended: Arc<Mutex<Option<Act>>>,
}

impl Stage {
    /// A repository with so many tags, of which a policy keeps one.
    fn with_tags(count: usize) -> Self {
        let mut log = MemoryLog::default();
        begin(&mut log);
        let appended: Arc<Mutex<Option<Act>>> = Arc::default();
        let hook = appended.clone();
        let at = Arc::new(Mutex::new(move |step| {
            if step == Step::Appended
                && let Some(act) = hook.lock().unwrap().take()
            {
                act();
            }
        }));
        let mut registry = Registry::watched(log.clone(), folded(&log), 10, at);
        let names: Vec<_> = (0..count).map(|number| format!("{number:0>60}")).collect();
        let mut commands = vec![push("a", "other", &[], &["zzz"])];
        for names in names.chunks(300) {
            let tags = names.iter().map(|name| tag(name)).collect();
            commands.insert(
                commands.len() - 1,
                put(tagstone::registry::PutManifest { tags, ..image("a", "one", &[], &[]) }),
            );
        }
        let rule = Rule::Prune { method: PruneMethod::NumberOfTags(1), pattern: None };
        let create = CreatePolicy { policy: POLICY, scope: Scope::Repository(name("a")), rule, draft: false };
        commands.push(submission(Command::CreatePolicy(Box::new(create))));
        registry.commit(commands);
        let meddler = Arc::new(Meddler::default());
        let pruner = Arc::new(Pruner::new(registry.published.clone(), meddler.clone(), registry.handle.clone()));
        Self { registry, log, pruner, meddler, appended }
    }

    /// Does something when the run has seen the tags.
    fn between(&self, act: impl FnOnce() + Send + 'static) {
        *self.meddler.0.lock().unwrap() = Some(Box::new(act));
    }

    /// Commits something when the run has seen the tags.
    fn commit_between(&self, submission: Submission) {
        let handle = self.registry.handle.clone();
        self.between(move || drop(block_on(handle.submit(submission)).unwrap()));
    }

    fn run(&self) -> (Result<(), RunError>, Report) {
        run(&self.pruner)
    }

    /// How many tags each record of the run has deleted, and how many there are now.
    fn end(self) -> (Vec<usize>, usize) {
        let Self { registry, log, pruner, meddler, appended } = self;
        drop((pruner, meddler, appended));
        let left = registry.published.snapshot().state.repository("a").unwrap().tag_count();
        registry.stop();
        let deleted = records(&log).into_iter().filter_map(|record| match &*record.events {
            [Event::TagsDeleted { tags, .. }] => Some(tags.len()),
            _ => None,
        });
        (deleted.collect(), left)
    }
}

fn run(pruner: &Pruner) -> (Result<(), RunError>, Report) {
    let mut report = Report::new(RUN, 10);
    let order = Order { policy: POLICY, way: Way::Delete, actor: Actor::system("prune"), origin: Origin::default() };
    (pruner.run(&order, &mut report), report)
}

fn lock(name_of_tag: &str) -> Submission {
    let (repository, tag) = (name("a"), tag(name_of_tag));
    submission(Command::SetTag(Box::new(SetTag {
        repository,
        tag,
        manifest: None,
        expiry: Expiry::Keep,
        lock: Lock::Lock,
    })))
}

fn retire() -> Submission {
    submission(Command::RemovePolicy { policy: POLICY })
}

/// Puts a command into the queue without waiting for it.
fn queue(handle: &WriterHandle, submission: Submission) {
    use futures_util::FutureExt;
    assert!(Box::pin(handle.submit(submission)).now_or_never().is_none());
}

#[test]
fn a_tag_that_becomes_protected_while_a_run_is_under_way_is_skipped() {
    let stage = Stage::with_tags(3);
    let locked = format!("{:0>60}", 1);
    stage.commit_between(lock(&locked));
    let (ended, report) = stage.run();
    ended.unwrap();
    assert_eq!((report.considered, report.deleted.count, report.skipped.count), (4, 2, 1));
    let skipped = &report.skipped.entries[0];
    assert_eq!((skipped.tag.as_str(), skipped.why), (locked.as_str(), WhySkipped::Immutable));
    assert_eq!(stage.end(), (vec![2], 2));
}

#[test]
fn a_policy_that_is_retired_before_anything_is_deleted_deletes_nothing() {
    let stage = Stage::with_tags(3);
    stage.commit_between(retire());
    let (ended, report) = stage.run();
    let unknown = matches!(ended, Err(RunError::Write(WriteError::Rejected(Rejection::PolicyUnknown { .. }))));
    assert!(unknown && report.deleted.count == 0 && report.incomplete.is_none(), "{ended:?}");
    assert_eq!(stage.end(), (vec![], 4));
}

#[test]
fn a_policy_that_is_retired_under_way_ends_its_run_and_the_report_says_so() {
    let stage = Stage::with_tags(1_200);
    let handle = stage.registry.handle.clone();
    *stage.appended.lock().unwrap() = Some(Box::new(move || queue(&handle, retire())));
    let (ended, report) = stage.run();
    ended.unwrap();
    assert!(report.incomplete.as_ref().is_some_and(|why| why.contains("retired")), "{:?}", report.incomplete);
    assert_eq!(report.deleted.entries.len(), 10, "the list is bounded");
    let deleted = usize::try_from(report.deleted.count).unwrap();
    assert_eq!(report.deleted.more(), report.deleted.count - 10);
    assert_eq!(stage.end(), (vec![deleted], 1_201 - deleted));
}

#[test]
fn a_run_ends_when_the_registry_stops() {
    let stage = Stage::with_tags(1_200);
    let stop: Stop = stage.pruner.stop();
    *stage.appended.lock().unwrap() = Some(Box::new(move || stop.ask()));
    let (ended, report) = stage.run();
    assert!(matches!(ended, Err(RunError::Write(WriteError::Stopped))), "{ended:?}");
    let deleted = usize::try_from(report.deleted.count).unwrap();
    assert!(deleted > 0 && report.seq.is_some());
    let (again, _) = stage.run();
    assert!(matches!(again, Err(RunError::Write(WriteError::Stopped))), "{again:?}");
    assert_eq!(stage.end(), (vec![deleted], 1_201 - deleted));
}

#[test]
fn a_policy_has_one_run_at_a_time() {
    let stage = Stage::with_tags(3);
    let (second, seen) = (stage.pruner.clone(), Arc::new(Mutex::new(None)));
    let told = seen.clone();
    stage.between(move || *told.lock().unwrap() = Some(run(&second).0));
    stage.run().0.unwrap();
    let second = seen.lock().unwrap().take().unwrap();
    assert!(matches!(second, Err(RunError::UnderWay { policy: POLICY })), "{second:?}");
    stage.run().0.unwrap();
    assert_eq!(stage.end(), (vec![3], 1));
}

#[test]
fn age_policies_are_due_before_number_policies() {
    use tagstone_schema::policy::{Age, AgeUnit};
    let stage = Stage::with_tags(1);
    let age = PruneMethod::CreationDate(Age { count: 7, unit: AgeUnit::Days });
    for (id, method, draft) in [
        (8, age, false),
        (6, PruneMethod::NumberOfTags(5), false),
        (9, age, true),
        (1, PruneMethod::NumberOfTags(7), false),
    ] {
        let (scope, rule) = (Scope::Repository(name("a")), Rule::Prune { method, pattern: None });
        let create = CreatePolicy { policy: Id([id; 16]), scope, rule, draft };
        stage.registry.submit(submission(Command::CreatePolicy(Box::new(create))));
    }
    assert_eq!(stage.pruner.due(), [8, 1, 6, 7].map(|id| Id([id; 16])));
    stage.end();
}
