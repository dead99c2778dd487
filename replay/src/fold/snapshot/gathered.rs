//! The state, put together from what was made of the portions of a snapshot, in their order.

use std::num::NonZeroUsize;
use std::thread::ScopedJoinHandle;

use imbl::OrdSet;
use tagstone_schema::{RepositoryName, Tag, Timestamp};

use super::made::{Made, Making, Naming};
use super::stored::RepositoryPlace;
use crate::fold::contents::Place;
use crate::fold::contents::append::Appending;
use crate::fold::contents::places::Places;
use crate::fold::repository::RepositoryNumber;
use crate::fold::repository::kept::{Kept, SharedKept};
use crate::fold::state::State;
use crate::fold::table::{Keeping, Table};
use crate::fold::tag::KeptTag;
use crate::fold::tags::Tags;

/// The repositories and what they have, as far as portions were taken.
pub(super) struct Gathered {
    contents: Appending,
    digests: u64,
    /// By their places in the snapshot.
    repositories: Vec<Restoring>,
    /// Manifests that name what is still to come.
    waiting: Vec<(Place, RepositoryNumber, Places)>,
    /// Contents that a manifest is said to name, and that none has named yet.
    unnamed: usize,
}

/// A repository, and its tags in no order.
struct Restoring {
    kept: Kept,
    tags: Vec<(Tag, KeptTag)>,
}

/// Tags of a repository that expire.
type Expiring = Vec<(Timestamp, RepositoryName, Tag)>;

impl Gathered {
    /// Takes the names of the repositories, of which so many digests are to follow.
    pub(super) fn begin(state: &mut State, names: Vec<RepositoryName>, digests: u64) -> Result<(Self, Making), String> {
        if !names.is_sorted_by(|one, next| one < next) {
            return Err("repositories are out of order".to_owned());
        }
        let numbers: Vec<_> = names.iter().map(|name| state.numbers.give(name)).collect();
        // They are nobody else's while they are made.
        let kept = |(name, number): (&RepositoryName, &_)| Kept::new(name.clone(), *number, &Keeping::Alone);
        let kept = names.iter().zip(&numbers).map(kept);
        let repositories = kept.map(|kept| Restoring { kept, tags: Vec::new() }).collect();
        state.names = names.into_iter().collect();
        let contents = Appending::begin();
        let gathered = Self { contents, digests, repositories, waiting: Vec::new(), unnamed: 0 };
        Ok((gathered, Making { types: state.types.iter().cloned().collect(), numbers }))
    }

    /// Takes what was made of the next portion.
    pub(super) fn take(&mut self, made: Made) -> Result<(), String> {
        let Made { pages, manifests, naming, named, tags, referrers, .. } = made;
        let (begin, others) = (self.contents.end(), self.contents.manifests_end());
        self.contents.append_manifests(manifests);
        let repositories = &mut self.repositories;
        let mut member = |number: RepositoryNumber, place, is_manifest| {
            let kept = &mut repositories.get_mut(number.place())?.kept;
            kept.manifests += usize::from(is_manifest);
            kept.members.push(place);
            Some(kept.members.len() - 1)
        };
        pages.into_iter().for_each(|page| self.contents.append(page, others, &mut member));
        for (repository, subject, digest) in referrers {
            if let Some(restoring) = at(&mut self.repositories, repository) {
                restoring.kept.referrers.change(&subject, OrdSet::new, |all| all.insert(digest));
            }
        }
        for (repository, tag, mut kept) in tags {
            if let Some(restoring) = at(&mut self.repositories, repository) {
                kept.manifest = kept.manifest.behind(others);
                restoring.tags.push((tag, kept));
            }
        }
        self.unnamed += named;
        for Naming { entry, number, references } in naming {
            let manifest = begin.saturating_add(Place::try_from(entry).unwrap_or(Place::MAX));
            if references.iter().all(|reference| reference < self.contents.end()) {
                self.name(manifest, number, &references)?;
            } else {
                self.waiting.push((manifest, number, references));
            }
        }
        Ok(())
    }

    /// A manifest names its references.
    fn name(&mut self, manifest: Place, number: RepositoryNumber, references: &Places) -> Result<(), String> {
        let first = self.contents.name(manifest, number, references);
        let first = first.map_err(|why| {
            let digest = self.contents.digest_at(manifest).map(ToString::to_string).unwrap_or_default();
            format!("the manifest {digest} names {why}")
        })?;
        self.unnamed = self.unnamed.saturating_sub(first);
        Ok(())
    }

    /// The state, with all that was gathered.
    pub(super) fn end(mut self, state: State) -> Result<State, String> {
        for (manifest, number, references) in std::mem::take(&mut self.waiting) {
            self.name(manifest, number, &references)?;
        }
        let Self { contents, digests, mut repositories, unnamed, .. } = self;
        if u64::from(contents.end()) != digests {
            return Err(format!("it has {} digests instead of {digests}", contents.end()));
        }
        if unnamed > 0 {
            return Err(format!("{unnamed} digests that a manifest should name are named by none"));
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let each = repositories.len().div_ceil(threads).max(1);
        let (contents, expiring) = std::thread::scope(|scope| {
            let contents = scope.spawn(|| contents.done());
            let shared: Vec<_> = repositories.chunks_mut(each).map(|some| scope.spawn(|| share(some))).collect();
            let mut expiring = OrdSet::new();
            for shared in shared {
                expiring.extend(ended(shared)??);
            }
            Ok::<_, String>((ended(contents)?.map_err(|digest| format!("{digest} is there twice"))?, expiring))
        })?;
        let mut kept = Table::default();
        for Restoring { kept: repository, .. } in repositories {
            kept.insert(repository.name.clone(), SharedKept::new(repository));
        }
        Ok(State { contents, repositories: kept, expiring, ..state })
    }
}

fn at(repositories: &mut [Restoring], place: RepositoryPlace) -> Option<&mut Restoring> {
    repositories.get_mut(usize::try_from(place).ok()?)
}

fn ended<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, String> {
    thread.join().map_err(|_| "putting it together ended by a panic".to_owned())
}

/// Puts tags in order. From then on clones share what does not change.
fn share(repositories: &mut [Restoring]) -> Result<Expiring, String> {
    let mut expiring = Vec::new();
    for Restoring { kept, tags } in repositories {
        tags.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if let Some([(tag, _), _]) = tags.array_windows().find(|[(one, _), (next, _)]| one == next) {
            return Err(format!("the tag {tag} of {} is there twice", kept.name));
        }
        let expire = tags.iter().filter_map(|(tag, state)| Some((state.expires()?, kept.name.clone(), tag.clone())));
        expiring.extend(expire);
        kept.tags = Tags::in_order(std::mem::take(tags));
        kept.share();
    }
    Ok(expiring)
}
