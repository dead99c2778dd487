//! Collection: what nothing refers to goes, after a while, in the background or on demand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tagstone_schema::event::{ContentKind, RemovedContent};
use tagstone_schema::{Actor, Event, Head, Origin, Timestamp};

use super::candidates::{Candidates, Limits, idle_manifests};
use super::collection::{CollectError, Collection, Running};
use super::promises::{Doom, Promises};
use super::remover::{before, removed};
use super::stage::Stage;
use super::{PastRemovals, StoredBytes, StoredContent};
use crate::registry::clock::Clock;
use crate::registry::command::{Command, DropCause, DropContents, DropManifests};
use crate::registry::prune::{Stop, Way};
use crate::registry::published::Published;
use crate::registry::writer::{WriteError, WriterHandle};

/// Contents that go at a time. Whoever pushes waits for one such step at most, and the pause behind it is twice as long as the step was.
const STEP: usize = 128;

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CollectRules {
    /// How long content stays after nothing refers to it any more.
    pub grace: Duration,
    /// How long manifests stay that nothing holds; none is for ever.
    pub untagged: Option<Duration>,
}

/// What a collection works with.
pub struct CollectParts {
    /// The state that readers see.
    pub published: Published,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to the writer.
    pub writer: WriterHandle,
    /// The bytes.
    pub bytes: Arc<dyn StoredBytes>,
    /// What clients are told that they have.
    pub promises: Arc<Promises>,
    /// What was removed before.
    pub past: Arc<dyn PastRemovals>,
}

/// Who wants a collection, and whether it removes anything.
#[derive(Clone, Debug)]
pub struct CollectOrder {
    /// Whether anything is to be removed.
    pub way: Way,
    /// Who wants it.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

impl CollectOrder {
    /// One that the registry gives itself.
    pub fn of_the_registry() -> Self {
        Self { way: Way::Delete, actor: Actor::system("collect"), origin: Origin::default() }
    }
}

/// Runs collections, one at a time.
pub struct Collector {
    parts: CollectParts,
    rules: CollectRules,
    /// The last record when the process began. What an earlier one has begun to remove is recorded there or before.
    began: Head,
    now: Mutex<Now>,
    /// Whether anything was purged whose space was not given back.
    purged: Arc<AtomicBool>,
    /// One at a time gives back space.
    giving_back: Mutex<()>,
    stop: Stop,
}

#[derive(Default)]
struct Now {
    last: Option<Arc<Collection>>,
    /// The last one that removed something: those after it may be many, and tell nothing.
    last_removed: Option<Arc<Collection>>,
    running: Option<Running>,
}

/// Keeps a second run away.
struct Turn<'a>(&'a Collector);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.now().running = None;
    }
}

/// Content on the disk that the state does not know.
#[derive(Default)]
struct Strange {
    /// The log says that it was removed.
    recorded: Vec<RemovedContent>,
    /// It was never recorded: a push ended before.
    unrecorded: Vec<RemovedContent>,
    kept_in_grace: u64,
    /// Whether history could tell of all of it.
    is_whole: bool,
}

impl Collector {
    /// The last collection since the start that removed something.
    pub fn last_removed(&self) -> Option<Arc<Collection>> {
        self.now().last_removed.clone()
    }

    /// With rules of its own. Whoever purges sets `purged`.
    pub fn new(parts: CollectParts, rules: CollectRules, purged: Arc<AtomicBool>) -> Self {
        let began = parts.published.load().head;
        Self {
            parts,
            rules,
            began,
            now: Mutex::default(),
            purged,
            giving_back: Mutex::default(),
            stop: Stop::default(),
        }
    }

    /// What ends the collections of this collector.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The last collection, and the one that is under way.
    pub fn standing(&self) -> (Option<Arc<Collection>>, Option<Running>) {
        let now = self.now();
        (now.last.clone(), now.running)
    }

    /// Collects. It takes its time, and must not be called where others are served.
    pub fn run(&self, order: &CollectOrder) -> Result<Arc<Collection>, CollectError> {
        let started = self.parts.clock.now();
        let turn = self.turn(Running { started, way: order.way })?;
        let mut collection = Collection::begin(started, order.way);
        let ended = self.collect(order, &mut collection);
        collection.finished = self.parts.clock.now();
        collection.incomplete = ended.as_ref().err().map(ToString::to_string);
        let collection = Arc::new(collection);
        let mut now = self.now();
        now.last = Some(collection.clone());
        if collection.way == Way::Delete && collection.removed.count + collection.manifests_deleted > 0 {
            now.last_removed = Some(collection.clone());
        }
        drop(now);
        drop(turn);
        ended.map(|()| collection)
    }

    /// Removes bytes of which the log says that they are gone: a process died between the record and the removal. False where
    /// history cannot tell yet.
    pub fn finish_removals(&self) -> Result<bool, CollectError> {
        if !self.parts.past.reaches(self.began) {
            return Ok(false);
        }
        let strange = self.strange()?;
        let mut collection = Collection::begin(self.parts.clock.now(), Way::Delete);
        self.erase_recorded(&strange.recorded, &mut collection)?;
        if collection.removed.count > 0 {
            tracing::info!(contents = collection.removed.count, "finished removals that an earlier process had begun");
        }
        Ok(strange.is_whole)
    }

    fn turn(&self, running: Running) -> Result<Turn<'_>, CollectError> {
        let mut now = self.now();
        if let Some(Running { started, .. }) = now.running {
            return Err(CollectError::UnderWay { since: started });
        }
        now.running = Some(running);
        Ok(Turn(self))
    }

    /// What is known of runs is sound after any panic.
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> Limits {
        let grace_began = before(self.parts.clock.now(), self.rules.grace);
        Limits { grace_began, told_since: self.parts.promises.began() }
    }

    fn collect(&self, order: &CollectOrder, collection: &mut Collection) -> Result<(), CollectError> {
        let mut stage = Stage::of(&self.parts, order);
        let strange = self.strange()?;
        match order.way {
            Way::Delete => self.erase_recorded(&strange.recorded, collection)?,
            Way::Dry => strange.recorded.iter().for_each(|content| collection.remove(content)),
        }
        let mut kept =
            strange.kept_in_grace + self.drop_contents(&mut stage, order, &strange.unrecorded, collection)?;
        loop {
            let (deleted, idle) = self.delete_manifests(&mut stage, collection)?;
            let candidates = Candidates::of(stage.state(), self.limits(), |digest| self.parts.bytes.find(digest));
            let promised = self.drop_contents(&mut stage, order, &candidates.going, collection)?;
            if deleted == 0 {
                kept += idle + candidates.kept_in_grace + promised;
                break;
            }
            // What only those manifests held may go as well, where there is no grace.
        }
        collection.kept_in_grace = kept;
        collection.considered = kept + collection.removed.count + collection.manifests_deleted;
        self.parts.promises.forget_before(self.limits().grace_began);
        if order.way == Way::Delete {
            // Also where it has found nothing: what was purged since the last one has left room as well.
            self.give_back_space();
        }
        Ok(())
    }

    /// Gives back the space of what was purged since this was called last. A purge does not wait for that.
    pub fn give_back_purged_space(&self) {
        if self.purged.swap(false, Ordering::Relaxed) {
            self.give_back_space();
        }
    }

    /// What was to be removed is gone already; damaged content beside it, which stays as evidence, is no reason to call that a failure.
    fn give_back_space(&self) {
        let _alone = self.giving_back.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.parts.bytes.compact() {
            tracing::warn!(%error, "the space of removed content could not be given back everywhere");
        }
    }

    /// Goes through the disk for what the state does not know.
    fn strange(&self) -> Result<Strange, CollectError> {
        let mut unknown = Vec::new();
        self.parts
            .bytes
            .each(&mut |stored| {
                if !self.parts.published.load().state.knows(&stored.digest) {
                    unknown.push(stored);
                }
                !self.stop.is_asked()
            })
            .map_err(CollectError::Bytes)?;
        // Not the newest record: history is always a little behind that while others push.
        let (limits, head) = (self.limits(), self.began);
        let mut strange = Strange { is_whole: true, ..Strange::default() };
        for StoredContent { digest, size, written } in unknown {
            let content = RemovedContent { digest, size, content: ContentKind::Blob };
            match self.parts.past.was_removed(&content.digest, head) {
                Some(true) => strange.recorded.push(content),
                Some(false) if written.unwrap_or(limits.told_since) > limits.grace_began => strange.kept_in_grace += 1,
                Some(false) => strange.unrecorded.push(content),
                None => strange.is_whole = false,
            }
        }
        Ok(strange)
    }

    /// Removes what is recorded as removed already. What can be removed is, also where something else cannot.
    fn erase_recorded(&self, contents: &[RemovedContent], collection: &mut Collection) -> Result<(), CollectError> {
        let mut erased = Ok(());
        for step in contents.chunks(STEP) {
            let pause = Pause::begin();
            let doom = self.parts.promises.doom(step.iter().map(|content| &content.digest), |_| false);
            // It may have come back since.
            let snapshot = self.parts.published.snapshot();
            let is_gone = |content: &&RemovedContent| {
                doom.digests().contains(&content.digest) && !snapshot.state.knows(&content.digest)
            };
            let gone: Vec<_> = step.iter().filter(is_gone).collect();
            let digests: Vec<_> = gone.iter().map(|content| content.digest.clone()).collect();
            match self.parts.bytes.erase(&digests) {
                Ok(()) => gone.into_iter().for_each(|content| collection.remove(content)),
                Err(error) => erased = erased.and(Err(CollectError::Bytes(error))),
            }
            drop(doom);
            pause.end();
        }
        erased
    }

    /// Deletes the manifests that nothing has held for long. Returns how many, and how many others nothing holds.
    fn delete_manifests(&self, stage: &mut Stage<'_>, collection: &mut Collection) -> Result<(u64, u64), CollectError> {
        let Some(untagged) = self.rules.untagged else { return Ok((0, 0)) };
        let (limits, idle_before) = (self.limits(), before(self.parts.clock.now(), untagged));
        let (idle, mut kept) = idle_manifests(stage.state(), idle_before, limits);
        let mut deleted = 0;
        for step in idle.chunks(STEP) {
            self.go_on()?;
            let doom = self.doom(step.iter().map(|(_, digest)| digest), limits.grace_began);
            let (manifests, promised): (Vec<_>, Vec<_>) =
                step.iter().cloned().partition(|(_, digest)| doom.digests().contains(digest));
            kept += promised.len() as u64;
            let drop = DropManifests { manifests, idle_before };
            let (events, seq) = stage.act(Command::DropManifests(Box::new(drop)))?;
            deleted += events.iter().filter(|event| matches!(event, Event::ManifestDeleted { .. })).count() as u64;
            collection.seq = seq.or(collection.seq);
        }
        collection.manifests_deleted += deleted;
        Ok((deleted, kept))
    }

    /// Removes contents, step by step. Returns how many stay because somebody was told of them, or is writing them.
    fn drop_contents(
        &self,
        stage: &mut Stage<'_>,
        order: &CollectOrder,
        contents: &[RemovedContent],
        collection: &mut Collection,
    ) -> Result<u64, CollectError> {
        let grace_began = self.limits().grace_began;
        let mut kept = 0;
        let mut contents = contents.to_vec();
        self.parts.bytes.arrange(&mut contents);
        for step in contents.chunks(STEP) {
            self.go_on()?;
            let pause = Pause::begin();
            let doom = self.doom(step.iter().map(|content| &content.digest), grace_began);
            let (mut left, promised): (Vec<_>, Vec<_>) =
                step.iter().cloned().partition(|content| doom.digests().contains(&content.digest));
            kept += promised.len() as u64;
            // A command does as much as fits into its record.
            while !left.is_empty() {
                let drop = DropContents { cause: DropCause::Collected, contents: left.clone(), grace_began };
                let (events, seq) = stage.act(Command::DropContents(Box::new(drop)))?;
                if events.is_empty() {
                    break;
                }
                collection.seq = seq.or(collection.seq);
                let gone = removed(&events);
                // What is not there, as after a restore of the log alone, is let go of and frees nothing.
                let is_freed = |content: &&RemovedContent| {
                    gone.contains(&content.digest) && self.parts.bytes.find(&content.digest).is_some()
                };
                let freed: Vec<_> = left.iter().filter(is_freed).cloned().collect();
                if order.way == Way::Delete {
                    self.parts.bytes.erase(&gone).map_err(CollectError::Bytes)?;
                }
                freed.iter().for_each(|content| collection.remove(content));
                left.retain(|content| !gone.contains(&content.digest));
            }
            drop(doom);
            if order.way == Way::Delete {
                pause.end();
            }
        }
        Ok(kept)
    }

    fn doom<'a>(&self, digests: impl IntoIterator<Item = &'a tagstone_schema::Digest>, grace_began: Timestamp) -> Doom {
        self.parts.promises.doom(digests, |told| told.at > grace_began)
    }

    fn go_on(&self) -> Result<(), CollectError> {
        if self.stop.is_asked() { Err(WriteError::Stopped.into()) } else { Ok(()) }
    }
}

/// Leaves twice as much time to others as a step has taken.
struct Pause(Instant);

impl Pause {
    /// The longest pause: a step that took longer was not slow because of others.
    const MOST: Duration = Duration::from_millis(400);

    fn begin() -> Self {
        Self(Instant::now())
    }

    fn end(self) {
        std::thread::sleep((self.0.elapsed() * 2).min(Self::MOST));
    }
}
