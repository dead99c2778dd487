//! Removal of bytes: what goes, what stays, and what is left where it is cut off.

mod expected;
mod faults;
mod naive;
mod property;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagstone::registry::{
    Clock, CollectError, CollectOrder, CollectParts, CollectRules, Collection, How, PastRemovals, Promises, PurgePlan,
    PurgeRequest, Purged, Rejection, Removal, RemovalError, StoredBytes, StoredContent, Submission, Told, Way,
};
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::MemoryLog;
use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Actor, Digest, Event, Head, Origin, Seq, Timestamp};

use crate::commands::name;
use crate::fake_disk::{FakeBytes, FakeClock};
use crate::registry::{Answer, Registry, begin, block_on, folded, records};

pub(crate) const GRACE: Duration = Duration::from_secs(1_000);
pub(crate) const UNTAGGED: Duration = Duration::from_secs(5_000);

/// The bytes of a registry, which can fail to be removed.
#[derive(Clone)]
struct Disk {
    bytes: FakeBytes,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// After so many contents the next removal breaks off.
    erase_only: Option<usize>,
    /// What was put there by nobody, with the time.
    orphans: Vec<(Digest, Timestamp)>,
    /// How often space was given back.
    compacted: usize,
    erased: BTreeSet<Digest>,
}

impl StoredBytes for Disk {
    fn erase(&self, digests: &[Digest]) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        let most = faults.erase_only.take();
        let mut kept = self.bytes.kept();
        for digest in digests.iter().take(most.unwrap_or(usize::MAX)) {
            kept.contents.remove(digest);
            faults.erased.insert(digest.clone());
        }
        if most.is_some() { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    }

    fn find(&self, digest: &Digest) -> Option<u64> {
        self.bytes.kept().contents.get(digest).map(|bytes| bytes.len() as u64)
    }

    fn each(&self, see: &mut dyn FnMut(StoredContent) -> bool) -> io::Result<()> {
        let contents: Vec<_> =
            self.bytes.kept().contents.iter().map(|(digest, bytes)| (digest.clone(), bytes.len() as u64)).collect();
        let faults = self.faults.lock().unwrap();
        let written =
            |digest: &Digest| faults.orphans.iter().rev().find(|(orphan, _)| orphan == digest).map(|(_, at)| *at);
        contents.into_iter().map(|(digest, size)| StoredContent { written: written(&digest), digest, size }).all(see);
        Ok(())
    }

    fn arrange(&self, _: &mut [RemovedContent]) {}

    fn compact(&self) -> io::Result<()> {
        self.faults.lock().unwrap().compacted += 1;
        Ok(())
    }
}

/// What the log says, read from its first record on.
struct Past(MemoryLog);

impl PastRemovals for Past {
    fn reaches(&self, _: Head) -> bool {
        true
    }

    fn was_removed(&self, digest: &Digest, head: Head) -> Option<bool> {
        assert!(head.seq <= self.0.head().seq);
        Some(recorded_as_removed(&self.0).contains(digest))
    }
}

/// Everything that was ever recorded as removed.
fn recorded_as_removed(log: &impl Log) -> BTreeSet<Digest> {
    let contents = records(log).into_iter().flat_map(|record| record.events).filter_map(|event| match event {
        Event::ContentPurged { contents, .. } | Event::ContentCollected { contents } => Some(contents),
        _ => None,
    });
    contents.flatten().map(|content| content.digest).collect()
}

/// A registry that removes bytes.
pub(crate) struct Site {
    log: MemoryLog,
    bytes: FakeBytes,
    disk: Disk,
    registry: Registry,
    removal: Removal,
    rules: CollectRules,
    clock: FakeClock,
}

impl Site {
    pub(crate) fn new(rules: CollectRules) -> Self {
        let mut log = MemoryLog::default();
        begin(&mut log);
        let (bytes, faults) = (FakeBytes::default(), Arc::default());
        Self::open(&log, &bytes, faults, rules, Timestamp(crate::registry::START))
    }

    fn open(
        log: &MemoryLog,
        bytes: &FakeBytes,
        faults: Arc<Mutex<Faults>>,
        rules: CollectRules,
        now: Timestamp,
    ) -> Self {
        let log = log.reopened();
        let unwatched = Arc::new(Mutex::new(|_| {}));
        let mut registry = Registry::storing(log.clone(), folded(&log), 4, unwatched, bytes.clone());
        let (bytes, clock) = (bytes.clone(), registry.clock.clone());
        clock.set(now.0);
        registry.start();
        let disk = Disk { bytes: bytes.clone(), faults };
        let parts = CollectParts {
            published: registry.published.clone(),
            clock: Arc::new(clock.clone()),
            writer: registry.handle.clone(),
            bytes: Arc::new(disk.clone()),
            promises: Promises::begin(now),
            past: Arc::new(Past(log.clone())),
        };
        let removal = Removal::new(parts, rules);
        Self { log, bytes, disk, registry, removal, rules, clock }
    }

    /// Ends the process, and starts another over what it leaves.
    pub(crate) fn restarted(self) -> Self {
        let now = self.now();
        let Self { log, bytes, disk, registry, removal, rules, .. } = self;
        drop(removal);
        registry.stop();
        Self::open(&log, &bytes, disk.faults, rules, now)
    }

    /// Ends the writer.
    pub(crate) fn end(self) {
        let Self { registry, removal, .. } = self;
        drop(removal);
        registry.stop();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn let_pass(&self, time: Duration) {
        self.clock.set(self.now().0 + i64::try_from(time.as_micros()).unwrap());
    }

    pub(crate) fn submit(&self, submission: Submission) -> Answer {
        let committed = block_on(self.registry.handle.submit(submission));
        if let Ok(committed) = &committed {
            self.removal.promises.let_go(committed);
        }
        committed.into()
    }

    fn tell(&self, repository: &str, digest: &Digest, how: How, by: &str) {
        let by = (how == How::Stored).then(|| client(by));
        let told = Told { repository: name(repository), at: self.now(), how, by };
        block_on(self.removal.promises.tell(digest, told));
    }

    fn request(repository: &str, what: Purged) -> PurgeRequest {
        let because = "a leak".parse().unwrap();
        let (repository, left_behind) = (name(repository), Vec::new());
        PurgeRequest { repository, what, because, left_behind, actor: Actor::anonymous(), origin: Origin::default() }
    }

    fn preview(&self, repository: &str, what: Purged) -> Result<PurgePlan, Rejection> {
        self.removal.remover.preview(&Self::request(repository, what))
    }

    fn purge(&self, repository: &str, what: Purged) -> Result<(PurgePlan, Option<Seq>), RemovalError> {
        self.removal.remover.purge(&Self::request(repository, what))
    }

    fn collect(&self, way: Way) -> Result<Arc<Collection>, CollectError> {
        let order = CollectOrder { way, ..CollectOrder::of_the_registry() };
        self.removal.collector.run(&order)
    }
}

fn client(name: &str) -> Actor {
    Actor { name: name.into(), ..Actor::anonymous() }
}
