//! What clients are told that the registry has, and what is being written: what removal may not take away.
//!
//! A push is several requests: a client asks for a blob or sends it, and later pushes the manifest that names it. In between
//! nothing in the log says that somebody relies on the blob. And bytes are on the disk before their record is, so whoever
//! removes bytes of the same digest meanwhile would leave a record without them.
//!
//! **Invariant**: bytes are removed only under a [`Doom`] on their digest, and written, or left to lie because they are there,
//! only under a [`Reservation`]. No digest has both.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tagstone_schema::{Actor, Digest, Event, RepositoryName, Timestamp};
use tokio::sync::Notify;

use crate::registry::writer::Committed;

/// What is promised and what is being written, by digest.
#[derive(Debug)]
pub struct Promises {
    began: Timestamp,
    entries: Mutex<HashMap<Digest, Entry>>,
    /// Wakes those who wait for content that is being removed.
    removed: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    writing: usize,
    is_doomed: bool,
    told: Vec<Told>,
}

/// A client was told that a repository has content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Where.
    pub repository: RepositoryName,
    /// When it was told last.
    pub at: Timestamp,
    /// By what.
    pub how: How,
    /// Who, where it was stored: an anonymous client by its address. Of those who only ask it does not matter.
    pub by: Option<Actor>,
}

/// How a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It asked, and the content was there; or it has stored the content for a push that was refused. Only a purge of the repository
    /// does not heed that: otherwise whoever looks at a leak would keep it alive.
    Found,
    /// It sent or mounted the content, and that was accepted.
    Stored,
}

impl Promises {
    /// Begins with the process. What an earlier process has told is not known.
    pub fn begin(began: Timestamp) -> Arc<Self> {
        Arc::new(Self { began, entries: Mutex::default(), removed: Notify::new() })
    }

    /// Goes on from what an earlier process has noted since `began`.
    pub(super) fn go_on(began: Timestamp, told: impl IntoIterator<Item = (Digest, Told)>) -> Arc<Self> {
        let promises = Self::begin(began);
        told.into_iter().for_each(|(digest, told)| promises.note(&digest, &told));
        promises
    }

    /// All that clients were told, in no order.
    pub(super) fn all_told(&self) -> Vec<(Digest, Told)> {
        let entries = self.entries();
        entries
            .iter()
            .flat_map(|(digest, entry)| entry.told.iter().map(|told| (digest.clone(), told.clone())))
            .collect()
    }

    /// Notes without waiting, where nothing is being removed.
    pub(super) fn note(&self, digest: &Digest, told: &Told) {
        self.entries().entry(digest.clone()).or_default().tell(told);
    }

    /// When it began: before that, anybody may have been told anything.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// Reserves content that is about to be written. Waits while it is being removed.
    pub async fn reserve(self: &Arc<Self>, digest: &Digest) -> Reservation {
        self.unless_doomed(digest, |entry| entry.writing += 1).await;
        Reservation { promises: self.clone(), digest: digest.clone() }
    }

    /// Notes that a client is told of content. Waits while it is being removed; whether it is there is to be asked afterwards.
    pub async fn tell(&self, digest: &Digest, told: Told) {
        self.unless_doomed(digest, |entry| entry.tell(&told)).await;
    }

    async fn unless_doomed(&self, digest: &Digest, note: impl Fn(&mut Entry)) {
        loop {
            let removed = self.removed.notified();
            tokio::pin!(removed);
            // Before the look, so that no removal can end unnoticed between the two.
            removed.as_mut().enable();
            {
                let mut entries = self.entries();
                let entry = entries.entry(digest.clone()).or_default();
                if !entry.is_doomed {
                    return note(entry);
                }
            }
            removed.await;
        }
    }

    /// A manifest that `by` has pushed to the repository names these now. Who has only asked is content with that, and so is who pushed
    /// it, however often he has stored them; each other one who has stored something has a manifest of his own to come.
    pub fn keep<'a>(&self, repository: &RepositoryName, by: &Actor, digests: impl IntoIterator<Item = &'a Digest>) {
        let is_over = |told: &Told| told.how == How::Found || told.by.as_ref() == Some(by);
        self.change_each(digests, |entry| entry.told.retain(|told| told.repository != *repository || !is_over(told)));
    }

    /// A manifest of `by` that names these was refused. He may push another: so what he has stored counts as found from now on.
    pub fn refused<'a>(&self, repository: &RepositoryName, by: &Actor, digests: impl IntoIterator<Item = &'a Digest>) {
        let own = |told: &mut Told| told.repository == *repository && told.by.as_ref() == Some(by);
        self.change_each(digests, |entry| {
            let stored: Vec<_> = entry.told.extract_if(.., own).collect();
            stored.into_iter().for_each(|told| entry.tell(&Told { how: How::Found, by: None, ..told }));
        });
    }

    /// What was let go by a commit, nobody can rely on in that repository who was told of it before. To be called behind every commit that
    /// may have let go of content.
    pub fn let_go(&self, committed: &Committed) {
        let Some(at) = committed.time else { return };
        for event in &committed.events {
            match event {
                Event::BlobUnlinked { repository, digest } | Event::ManifestDeleted { repository, digest } => {
                    self.change_each([digest], |entry| entry.let_go(repository, at));
                }
                Event::RepositoryDeleted { repository } => self.entries().retain(|_, entry| {
                    entry.let_go(repository, at);
                    !entry.is_empty()
                }),
                _ => {}
            }
        }
    }

    fn change_each<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>, change: impl Fn(&mut Entry)) {
        let mut entries = self.entries();
        for digest in digests {
            if let Some(entry) = entries.get_mut(digest) {
                change(entry);
                forget_empty(&mut entries, digest);
            }
        }
    }

    /// Takes for removal those digests that nobody is writing, and that nobody was told of in a way that is heeded.
    pub fn doom<'a>(
        self: &Arc<Self>,
        digests: impl IntoIterator<Item = &'a Digest>,
        is_heeded: impl Fn(&Told) -> bool,
    ) -> Doom {
        self.doom_each(digests, |_, told| is_heeded(told))
    }

    /// [`Promises::doom`], where it depends on the digest what is heeded.
    pub fn doom_each<'a>(
        self: &Arc<Self>,
        digests: impl IntoIterator<Item = &'a Digest>,
        is_heeded: impl Fn(&Digest, &Told) -> bool,
    ) -> Doom {
        let mut entries = self.entries();
        let mut doomed = BTreeSet::new();
        for digest in digests {
            let entry = entries.entry(digest.clone()).or_default();
            if entry.writing == 0 && !entry.is_doomed && !entry.told.iter().any(|told| is_heeded(digest, told)) {
                entry.is_doomed = true;
                doomed.insert(digest.clone());
            } else {
                forget_empty(&mut entries, digest);
            }
        }
        Doom { promises: self.clone(), digests: doomed }
    }

    /// Whether [`Promises::doom`] would take the digest now.
    pub fn is_free(&self, digest: &Digest, is_heeded: impl Fn(&Told) -> bool) -> bool {
        self.entries()
            .get(digest)
            .is_none_or(|entry| entry.writing == 0 && !entry.is_doomed && !entry.told.iter().any(is_heeded))
    }

    /// The repositories of which clients were told of the digest.
    pub(super) fn told_in(&self, digest: &Digest, is_heeded: impl Fn(&Told) -> bool) -> BTreeSet<RepositoryName> {
        let entries = self.entries();
        let told = entries.get(digest).into_iter().flat_map(|entry| &entry.told);
        told.filter(|told| is_heeded(told)).map(|told| told.repository.clone()).collect()
    }

    /// Forgets what was told before.
    pub fn forget_before(&self, at: Timestamp) {
        self.entries().retain(|_, entry| {
            entry.told.retain(|told| told.at >= at);
            !entry.is_empty()
        });
    }

    /// A map of counts and times is sound after any panic.
    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn tell(&mut self, told: &Told) {
        let is_same =
            |other: &&mut Told| (&other.repository, other.how, &other.by) == (&told.repository, told.how, &told.by);
        match self.told.iter_mut().find(is_same) {
            Some(known) => known.at = known.at.max(told.at),
            None => self.told.push(told.clone()),
        }
    }

    fn let_go(&mut self, repository: &RepositoryName, at: Timestamp) {
        self.told.retain(|told| told.repository != *repository || told.at > at);
    }

    fn is_empty(&self) -> bool {
        self.writing == 0 && !self.is_doomed && self.told.is_empty()
    }
}

fn forget_empty(entries: &mut HashMap<Digest, Entry>, digest: &Digest) {
    if entries.get(digest).is_some_and(Entry::is_empty) {
        entries.remove(digest);
    }
}

/// Content that is being written, until its record is durable or the attempt was given up. It travels with the command to the
/// writer, since a client that goes away does not take back its command.
#[derive(Debug)]
pub struct Reservation {
    promises: Arc<Promises>,
    digest: Digest,
}

impl Clone for Reservation {
    /// One more, of the same content.
    fn clone(&self) -> Self {
        let (promises, digest) = (self.promises.clone(), self.digest.clone());
        // It is not doomed, since this one reserves it.
        promises.entries().entry(digest.clone()).or_default().writing += 1;
        Self { promises, digest }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut entries = self.promises.entries();
        if let Some(entry) = entries.get_mut(&self.digest) {
            entry.writing = entry.writing.saturating_sub(1);
            forget_empty(&mut entries, &self.digest);
        }
    }
}

/// Content that is being removed, until that is done or was given up.
#[derive(Debug)]
pub struct Doom {
    promises: Arc<Promises>,
    digests: BTreeSet<Digest>,
}

impl Doom {
    /// What may be removed.
    pub fn digests(&self) -> &BTreeSet<Digest> {
        &self.digests
    }
}

impl Drop for Doom {
    fn drop(&mut self) {
        let mut entries = self.promises.entries();
        for digest in &self.digests {
            if let Some(entry) = entries.get_mut(digest) {
                entry.is_doomed = false;
                forget_empty(&mut entries, digest);
            }
        }
        drop(entries);
        self.promises.removed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "promises_tests.rs"]
mod tests;
