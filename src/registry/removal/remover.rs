//! Purging: worked out, recorded, and the bytes removed, while everything else goes on.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Actor, Digest, Event, Origin, RepositoryName, Seq, Timestamp};

use super::keepers::TOLD;
use super::promises::{Doom, How, Promises, Told};
use super::purge::{Free, PurgeOrder, PurgePlan, Purged};
use super::{Keeper, Kept, LeftBehind, StoredBytes, WhyKept};
use crate::registry::clock::Clock;
use crate::registry::command::{Because, Command, DropCause, DropContents, Purge, Submission};
use crate::registry::published::Published;
use crate::registry::rejection::Rejection;
use crate::registry::writer::{Committed, WriteError, WriterHandle};

/// Times that a purge is worked out anew when others change the repository meanwhile.
const ATTEMPTS: usize = 32;

/// What is to be purged, and who wants it.
#[derive(Clone, Debug)]
pub struct PurgeRequest {
    /// Where.
    pub repository: RepositoryName,
    /// What.
    pub what: Purged,
    /// Why.
    pub because: Because,
    /// Where what is meant was deleted before: what it has left.
    pub left_behind: Vec<LeftBehind>,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

/// Why content was not removed, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// Nothing was changed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It is recorded that the bytes are gone, and they are not yet.
    #[error(
        "the removal is recorded{}, but bytes could not be removed from the disk ({error}); nobody is given them any more, and \
         the next collection (`POST /api/v1/collect`) or the next start removes them",
        .seq.map(|seq| format!(" as record {seq}")).unwrap_or_default()
    )]
    Bytes {
        /// The last record.
        seq: Option<Seq>,
        /// What the system said.
        error: io::Error,
    },
}

impl From<Rejection> for RemovalError {
    fn from(rejection: Rejection) -> Self {
        Self::Write(rejection.into())
    }
}

/// Removes bytes on demand.
pub struct Remover {
    published: Published,
    clock: Arc<dyn Clock>,
    writer: WriterHandle,
    bytes: Arc<dyn StoredBytes>,
    promises: Arc<Promises>,
    grace: Duration,
    purged: Arc<AtomicBool>,
    /// Held by the one purge that is under way: what another one has doomed would look like something that is being pushed.
    purging: Mutex<()>,
}

impl Remover {
    /// Over the state that readers see, the writer and the bytes. A blob that a repository got within `grace` counts as referenced
    /// there. What was removed leaves room behind, which somebody else gives back when he finds `purged`.
    pub fn new(
        published: Published,
        clock: Arc<dyn Clock>,
        writer: WriterHandle,
        bytes: Arc<dyn StoredBytes>,
        promises: Arc<Promises>,
        grace: Duration,
        purged: Arc<AtomicBool>,
    ) -> Self {
        Self { published, clock, writer, bytes, promises, grace, purged, purging: Mutex::default() }
    }

    /// Works out what a purge would do.
    pub fn preview(&self, request: &PurgeRequest) -> Result<PurgePlan, Rejection> {
        let order = self.order(request);
        let snapshot = self.published.snapshot();
        let subject = PurgePlan::of(&snapshot.state, &order, Free::WHOLLY)?.subject().cloned();
        let heed = Heed { order: &order, subject: subject.as_ref() };
        let free = Free {
            to_remove: &|digest| self.promises.is_free(digest, |told| heed.for_bytes(digest, told)),
            to_unlink: &|digest| self.promises.is_free(digest, |told| heed.for_link(digest, told)),
        };
        let mut plan = PurgePlan::of(&snapshot.state, &order, free)?;
        plan.tell_pushers(|digest| self.promises.told_in(digest, |told| heed.for_bytes(digest, told)));
        plan.tell_only_what_is_there(|digest| self.bytes.find(digest).is_some());
        Ok(plan)
    }

    /// Purges, one after another. When this returns, no request is given the bytes, and they are off the disk. It takes its time, and
    /// must not be called where others are served.
    pub fn purge(&self, request: &PurgeRequest) -> Result<(PurgePlan, Option<Seq>), RemovalError> {
        let _purging = self.purging.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let order = self.order(request);
            let (dooms, plan) = self.worked_out(&order);
            let (events, rest) = plan.as_ref().map(|plan| plan.records(&order)).unwrap_or_default();
            let expected = plan.as_ref().map(|plan| plan.outcome(events)).unwrap_or_default();
            let (removable, unlinkable) = (dooms.bytes.digests().clone(), dooms.links.digests().clone());
            let purge = Purge { order: order.clone(), removable, unlinkable, expected };
            let command = Command::Purge(Box::new(purge));
            match self.submit(request, command) {
                Err(WriteError::Rejected(Rejection::Overtaken { .. })) => {}
                Err(error) => return Err(error.into()),
                Ok(committed) => {
                    if let Some(plan) = plan {
                        return self.finish(request, &order, (dooms, plan), &committed, rest);
                    }
                    // What stood in the way when it was worked out is gone already.
                }
            }
        }
        Err(Rejection::Overtaken { repository: request.repository.clone() }.into())
    }

    fn order(&self, request: &PurgeRequest) -> PurgeOrder {
        let PurgeRequest { repository, what, because, left_behind, .. } = request.clone();
        let mut grace_began = before(self.clock.now(), self.grace);
        if self.promises.began() > grace_began {
            // An earlier process may have told other repositories of anything: whatever they link may be about to be named.
            grace_began = Timestamp(i64::MIN);
        }
        PurgeOrder { repository, what, because, grace_began, left_behind }
    }

    /// The plan, for contents that are kept from being written until the dooms are dropped. No plan where the order is refused: the
    /// writer says why, and gathers the attempt.
    fn worked_out(&self, order: &PurgeOrder) -> (Dooms, Option<PurgePlan>) {
        let snapshot = self.published.snapshot();
        let Ok(wished) = PurgePlan::of(&snapshot.state, order, Free::WHOLLY) else {
            let none = || self.promises.doom([], |_| true);
            return (Dooms { bytes: none(), links: none() }, None);
        };
        let heed = Heed { order, subject: wished.subject() };
        let bytes = self.promises.doom_each(wished.digests(), |digest, told| heed.for_bytes(digest, told));
        let staying = wished.digests().filter(|digest| !bytes.digests().contains(digest)).chain(wished.hidden());
        let links = self.promises.doom_each(staying, |digest, told| heed.for_link(digest, told));
        let dooms = Dooms { bytes, links };
        let plan = PurgePlan::of(
            &snapshot.state,
            order,
            Free {
                to_remove: &|digest| dooms.bytes.digests().contains(digest),
                to_unlink: &|digest| dooms.links.digests().contains(digest),
            },
        );
        let mut plan = plan.ok();
        if let Some(plan) = &mut plan {
            plan.tell_pushers(|digest| self.promises.told_in(digest, |told| heed.for_bytes(digest, told)));
        }
        (dooms, plan)
    }

    fn finish(
        &self,
        request: &PurgeRequest,
        order: &PurgeOrder,
        (dooms, mut plan): (Dooms, PurgePlan),
        committed: &Committed,
        rest: Vec<RemovedContent>,
    ) -> Result<(PurgePlan, Option<Seq>), RemovalError> {
        let mut seq = committed.seq;
        let mut gone = removed(&committed.events);
        let mut rest = rest;
        while !rest.is_empty() {
            let cause = DropCause::Purged { repository: order.repository.clone(), because: order.because.clone() };
            let drop = DropContents { cause, contents: rest.clone(), grace_began: order.grace_began };
            match self.submit(request, Command::DropContents(Box::new(drop))) {
                // What is left is needed again.
                Ok(committed) if committed.events.is_empty() => break,
                Ok(committed) => {
                    gone.extend(removed(&committed.events));
                    seq = committed.seq.or(seq);
                    rest.retain(|content| !gone.contains(&content.digest));
                }
                Err(error) => {
                    // What is recorded goes; the rest is what nothing refers to, which collection finds.
                    tracing::error!(%error, repository = %order.repository, "a purge broke off behind its first record");
                    break;
                }
            }
        }
        plan.keep_but(&gone);
        plan.tell_only_what_is_there(|digest| self.bytes.find(digest).is_some());
        self.bytes.erase(&gone).map_err(|error| {
            tracing::error!(%error, repository = %order.repository, "purged bytes could not be removed");
            RemovalError::Bytes { seq, error }
        })?;
        drop(dooms);
        self.purged.store(true, Ordering::Relaxed);
        // Where there was nothing to record, everything is as the newest record says.
        Ok((plan, seq.or_else(|| Some(self.published.load().head.seq))))
    }

    fn submit(&self, request: &PurgeRequest, command: Command) -> Result<Committed, WriteError> {
        let submission = Submission::new(request.actor.clone(), request.origin.clone(), command);
        let committed = self.writer.submit_blocking(submission)?;
        self.promises.let_go(&committed);
        Ok(committed)
    }
}

/// What is kept from being written while it is purged.
struct Dooms {
    /// Contents whose bytes go.
    bytes: Doom,
    /// Contents whose bytes stay, and that the repository loses.
    links: Doom,
}

/// What a purge leaves because of what clients were told.
struct Heed<'a> {
    order: &'a PurgeOrder,
    subject: Option<&'a Digest>,
}

impl Heed<'_> {
    /// Elsewhere everything counts that was told.
    fn for_bytes(&self, digest: &Digest, told: &Told) -> bool {
        let is_elsewhere = told.repository != self.order.repository;
        (is_elsewhere && told.at > self.order.grace_began) || self.for_link(digest, told)
    }

    /// In the repository itself it counts that content was sent again, since a manifest may follow. Else whoever looks at a leak would
    /// keep it alive. What is purged by its own digest is meant.
    fn for_link(&self, digest: &Digest, told: &Told) -> bool {
        told.at > self.order.grace_began
            && told.repository == self.order.repository
            && told.how == How::Stored
            && self.subject != Some(digest)
    }
}

/// The digests whose bytes are gone by these events.
pub(super) fn removed(events: &[Event]) -> Vec<Digest> {
    let contents = events.iter().filter_map(|event| match event {
        Event::ContentPurged { contents, .. } | Event::ContentCollected { contents } => Some(contents),
        _ => None,
    });
    contents.flatten().map(|content| content.digest.clone()).collect()
}

/// So much before a moment.
pub(super) fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}

impl PurgePlan {
    /// Says where clients were told of what stays because of them.
    fn tell_pushers(&mut self, told_in: impl Fn(&Digest) -> BTreeSet<RepositoryName>) {
        for kept in self.kept.iter_mut().filter(|kept| kept.why == WhyKept::BeingPushed && kept.by.is_empty()) {
            let mut by = told_in(&kept.digest).into_iter().map(|repository| Keeper { repository, manifest: None });
            kept.by = by.by_ref().take(TOLD).collect();
            kept.more = by.count();
        }
    }

    /// What is not there, as after a restore of the log alone, is recorded as removed and frees nothing.
    fn tell_only_what_is_there(&mut self, is_there: impl Fn(&Digest) -> bool) {
        self.contents.retain(|(content, _)| is_there(&content.digest));
        self.manifests.retain(|manifest| is_there(&manifest.digest));
        self.blobs.retain(|(blob, _)| is_there(blob));
    }

    /// What was not removed after all is told as kept.
    fn keep_but(&mut self, gone: &[Digest]) {
        let (gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.contents).into_iter().partition(|(content, _)| gone.contains(&content.digest));
        self.contents = gone;
        for (content, _) in kept {
            let digest = content.digest;
            self.blobs.retain(|(blob, _)| *blob != digest);
            self.manifests.retain(|manifest| manifest.digest != digest);
            self.kept.push(Kept { digest, why: WhyKept::BeingPushed, by: Vec::new(), more: 0 });
        }
    }
}
