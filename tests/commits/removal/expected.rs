//! What a purge and a collection have to do, by the words of the documentation and not by the code.

use std::collections::BTreeSet;

use tagstone::registry::{How, Purged};
use tagstone_replay::pattern::referrer_tags;
use tagstone_schema::{Digest, RepositoryName, Tag, Timestamp};

use super::naive::{Naive, Place, Repository};

/// What clients were told, each answer by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tellings(pub(crate) Vec<Telling>);

#[derive(Clone, Debug)]
pub(crate) struct Telling {
    pub(crate) digest: Digest,
    pub(crate) repository: RepositoryName,
    pub(crate) at: Timestamp,
    pub(crate) how: How,
    /// Who has sent or mounted it.
    pub(crate) by: &'static str,
}

impl Tellings {
    /// A manifest that names these was pushed by somebody: what the others have sent is still to be named.
    pub(crate) fn keep(&mut self, repository: &RepositoryName, by: &str, digests: &[Digest]) {
        let of = |telling: &Telling| digests.contains(&telling.digest) && telling.repository == *repository;
        self.0.retain(|telling| !(of(telling) && (telling.how == How::Found || telling.by == by)));
    }

    /// A manifest that names these was refused: what was sent for it is as if it had been asked for.
    pub(crate) fn refused(&mut self, repository: &RepositoryName, by: &str, digests: &[Digest]) {
        for telling in &mut self.0 {
            if digests.contains(&telling.digest) && telling.repository == *repository && telling.by == by {
                telling.how = How::Found;
            }
        }
    }

    /// Nobody can rely on what a repository does not have.
    pub(crate) fn let_go(&mut self, naive: &Naive) {
        let has = |telling: &Telling| naive.repositories.get(&telling.repository)?.has(&telling.digest).then_some(());
        self.0.retain(|telling| has(telling).is_some());
    }

    /// A collection forgets what is over. Answers of one kind in one repository are over together, with the last of them.
    pub(crate) fn forget_before(&mut self, at: Timestamp) {
        let all = self.0.clone();
        let is_same = |one: &Telling, other: &Telling| {
            let sent_by = |telling: &Telling| (telling.how, Some(telling.by).filter(|_| telling.how == How::Stored));
            (&one.digest, &one.repository, sent_by(one)) == (&other.digest, &other.repository, sent_by(other))
        };
        self.0.retain(|telling| all.iter().any(|other| is_same(telling, other) && other.at >= at));
    }

    fn latest(&self, digest: &Digest, of: impl Fn(&Telling) -> bool) -> Option<Timestamp> {
        self.0.iter().filter(|telling| telling.digest == *digest && of(telling)).map(|telling| telling.at).max()
    }
}

/// When, and what is known.
pub(crate) struct Moment<'a> {
    pub(crate) tellings: &'a Tellings,
    pub(crate) grace_began: Timestamp,
    pub(crate) process_began: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purging {
    pub(crate) tags: BTreeSet<Tag>,
    /// Manifests that the repository loses.
    pub(crate) deleted: BTreeSet<Digest>,
    pub(crate) gone: BTreeSet<Digest>,
    pub(crate) hidden: BTreeSet<Digest>,
}

/// What a purge does; none if it is refused.
pub(crate) fn purging(naive: &Naive, name: &RepositoryName, what: &Purged, moment: &Moment<'_>) -> Option<Purging> {
    let mut here = naive.repositories.get(name)?.clone();
    let subject = match what {
        Purged::Digest(digest) => digest.clone(),
        Purged::Tag(tag) => here.tags.get(tag)?.clone(),
        Purged::Erased(tag) => {
            here.locked.remove(tag);
            here.tags.remove(tag)?
        }
    };
    let protected = |tag: &&Tag| here.protects(tag);
    let is_held = here.tags.keys().filter(protected).any(|tag| here.reached(&here.tags[tag]).contains(&subject));
    if !here.has(&subject) || is_held || !here.parents(&subject).is_empty() {
        return None;
    }
    let deleted = if here.manifests.contains_key(&subject) { going(&here, &subject) } else { BTreeSet::new() };
    let tags: BTreeSet<_> = deleted.iter().flat_map(|digest| here.tags_on(digest)).cloned().collect();
    let mut candidates: BTreeSet<_> =
        deleted.iter().flat_map(|digest| here.manifests[digest].references.clone()).collect();
    candidates.extend(deleted.iter().cloned());
    candidates.insert(subject.clone());
    let mut after = naive.clone();
    let own = after.repositories.get_mut(name)?;
    own.manifests.retain(|digest, _| !deleted.contains(digest));
    // What was told before the process began is not known.
    let is_all_promised = moment.process_began > moment.grace_began;
    let is_needed = |digest: &Digest| {
        after.repositories.iter().any(|(_, repository)| {
            repository.has(digest)
                && (repository.manifests.contains_key(digest) || !repository.parents(digest).is_empty())
        }) || naive.unnamed.iter().any(|((at, linked), since)| {
            linked == digest && at != name && (is_all_promised || *since > moment.grace_began)
        })
    };
    // In the repository itself it only counts what was sent, and not what is purged by its own digest.
    let sent = |digest: &Digest| {
        let sent = |telling: &Telling| telling.repository == *name && telling.how == How::Stored;
        *digest != subject && moment.tellings.latest(digest, sent).is_some_and(|at| at > moment.grace_began)
    };
    let told = |digest: &Digest| {
        let elsewhere = |telling: &Telling| telling.repository != *name;
        sent(digest) || moment.tellings.latest(digest, elsewhere).is_some_and(|at| at > moment.grace_began)
    };
    let is_there = |digest: &Digest| deleted.contains(digest) || here.blobs.contains(digest);
    let own = &after.repositories[name];
    candidates.retain(|digest| !own.manifests.contains_key(digest) && is_there(digest));
    let (gone, kept): (BTreeSet<_>, BTreeSet<_>) =
        candidates.into_iter().partition(|digest| !is_needed(digest) && !told(digest));
    let idle = |digest: &&Digest| own.blobs.contains(*digest) && own.parents(digest).is_empty() && !sent(digest);
    let hidden = kept.iter().filter(idle).cloned().collect();
    Some(Purging { tags, deleted, gone, hidden })
}

/// The manifests that go with one: children that only they use, referrers, referrers by tag.
fn going(here: &Repository, first: &Digest) -> BTreeSet<Digest> {
    let mut going = BTreeSet::from([first.clone()]);
    loop {
        let goes = |digest: &Digest| {
            let manifest = &here.manifests[digest];
            let tags = here.tags_on(digest);
            let only_theirs = here.parents(digest).into_iter().all(|parent| going.contains(parent));
            let is_child = !here.parents(digest).is_empty() && tags.is_empty();
            let names = manifest.subject.as_ref().is_some_and(|subject| going.contains(subject));
            let names = names && !tags.iter().any(|tag| here.protects(tag));
            let for_going = |tag: &&Tag| {
                !here.protects(tag) && going.iter().any(|of| referrer_tags(of).iter().any(|name| name == tag.as_str()))
            };
            let by_tag = !tags.is_empty() && tags.iter().all(for_going);
            only_theirs && (is_child || names || by_tag)
        };
        let more: Vec<_> =
            here.manifests.keys().filter(|digest| !going.contains(*digest) && goes(digest)).cloned().collect();
        if more.is_empty() {
            return going;
        }
        going.extend(more);
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collecting {
    /// Manifests that repositories lose since nothing has held them for long.
    pub(crate) deleted: BTreeSet<Place>,
    pub(crate) gone: BTreeSet<Digest>,
}

/// What a collection does, with no disk to look at: what was never recorded is not in it.
pub(crate) fn collecting(naive: &Naive, untagged: Option<Timestamp>, moment: &Moment<'_>) -> Collecting {
    let Moment { tellings, grace_began, process_began } = *moment;
    let may_be_promised = process_began > grace_began;
    let told = |digest: &Digest| tellings.latest(digest, |_| true).is_some_and(|at| at > grace_began);
    let mut collecting = Collecting::default();
    if let Some(idle_before) = untagged.filter(|_| !may_be_promised) {
        let idle = naive.idle.iter().filter(|((_, digest), since)| **since <= idle_before && !told(digest));
        // What a protected tag reaches has a parent or a tag, and is not idle.
        collecting.deleted = idle.map(|(place, _)| place.clone()).collect();
    }
    for digest in naive.held() {
        let links: Vec<_> = naive.unnamed.iter().filter(|((_, linked), _)| *linked == digest).collect();
        let holders = naive.repositories.values().filter(|repository| repository.has(&digest));
        let is_manifest = naive.repositories.values().any(|repository| repository.manifests.contains_key(&digest));
        // Every repository that has it, has it as a blob that nothing names, for long enough.
        let is_unneeded =
            !is_manifest && holders.count() == links.len() && links.iter().all(|(_, since)| **since <= grace_began);
        if is_unneeded && !may_be_promised && !told(&digest) {
            collecting.gone.insert(digest);
        }
    }
    let loose = naive.loose.iter().filter(|(digest, since)| **since <= grace_began && !told(digest));
    collecting.gone.extend(loose.map(|(digest, _)| digest.clone()));
    collecting
}
