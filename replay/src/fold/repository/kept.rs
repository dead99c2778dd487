//! What is kept of one repository, beside its contents.

use imbl::OrdSet;
use tagstone_schema::{Digest, References, RepositoryName, Timestamp};

use super::{Repository, RepositoryNumber};
use crate::fold::contents::content::Content;
use crate::fold::contents::holders::Loose;
use crate::fold::contents::manifests::{Held, Manifests};
use crate::fold::contents::{Contents, Members, Place};
use crate::fold::manifest::Manifest;
use crate::fold::table::{Keeping, Table};
use crate::fold::tag::TagSet;
use crate::fold::tags::Tags;

/// What is kept of a repository.
#[derive(Clone, Debug)]
pub(in crate::fold) struct Kept {
    /// Its name, once: whatever else keeps the name keeps this copy.
    pub(in crate::fold) name: RepositoryName,
    pub(in crate::fold) number: RepositoryNumber,
    /// Where its contents are.
    pub(in crate::fold) members: Members,
    /// How many of the contents are manifests.
    pub(in crate::fold) manifests: usize,
    pub(in crate::fold) tags: Tags,
    /// By subject, the manifests that name it.
    pub(in crate::fold) referrers: Table<Digest, OrdSet<Digest>>,
}

/// What is kept of a repository, shared by clones of a state. To find out that nobody shares it, with every event of a lone fold, this
/// pointer reads a count, where that of the standard library writes to it and holds other cores up.
pub(in crate::fold) type SharedKept = triomphe::Arc<Kept>;

impl Kept {
    pub(in crate::fold) fn new(name: RepositoryName, number: RepositoryNumber, keeping: &Keeping) -> Self {
        let (members, referrers) = match keeping {
            Keeping::Shared => (Members::default(), Table::default()),
            Keeping::Alone => (Members::alone(), Table::alone()),
        };
        Self { name, number, members, manifests: 0, tags: Tags::kept(keeping), referrers }
    }

    /// From now on clones share what does not change.
    pub(in crate::fold) fn share(&mut self) {
        self.members.share();
        self.referrers.share();
        self.tags.share();
    }
}

/// A repository that is changed.
pub(in crate::fold) struct Changing<'a> {
    pub(in crate::fold) kept: &'a mut Kept,
    pub(in crate::fold) contents: &'a mut Contents,
}

impl Changing<'_> {
    /// The repository, to be asked.
    pub(in crate::fold) fn asked(&self) -> Repository<'_> {
        Repository { kept: self.kept, contents: self.contents }
    }

    /// Links a blob; the size that was there before, if it is linked already.
    pub(in crate::fold) fn link(&mut self, digest: &Digest, size: u64, at: Timestamp) -> Option<u64> {
        self.change(digest, at, |content| content.link(size, at)).1
    }

    /// Adds a manifest that names these digests, without a tag, and what follows from it. If it is here already nothing
    /// happens, and its digest is given back.
    pub(in crate::fold) fn hold(&mut self, manifest: Manifest, references: &References) -> Result<(), Digest> {
        let (pushed, naming) = (manifest.pushed.time, self.contents.naming);
        let (place, is_new) = self.change(&manifest.digest, pushed, |content| content.manifest.is_none());
        if !is_new {
            return Err(manifest.digest);
        }
        let named = references.iter();
        let named = named.map(|named| self.change(named, pushed, |content| content.parents.insert(place, naming)).0);
        let references = named.collect();
        if let Some(subject) = manifest.subject() {
            self.kept.referrers.change(subject, OrdSet::new, |all| all.insert(manifest.digest.clone()));
        }
        self.kept.manifests += 1;
        let manifest = Manifest { references, ..manifest };
        let number = self.contents.manifests.add(Held { manifest, tags: TagSet::Empty, idle: pushed });
        self.contents.change_at(place, self.kept.number, |content| content.manifest = Some(number));
        Ok(())
    }

    /// Takes a manifest away, with all that followed from it but its tags.
    pub(in crate::fold) fn let_go(&mut self, digest: &Digest, loose: Loose) {
        let Some(place) = self.contents.place_of(digest) else { return };
        let mut gone = None;
        self.forget_at(place, Some(loose), |content, manifests| {
            gone = content.manifest.take().and_then(|number| manifests.take(number));
        });
        let (Some(Held { manifest, .. }), at) = (gone, loose.since) else { return };
        for reference in manifest.references.iter() {
            self.forget_at(reference, None, |content, manifests| content.lose_parent(place, at, manifests));
        }
        self.kept.manifests = self.kept.manifests.saturating_sub(1);
        if let Some(subject) = manifest.subject() {
            let is_last = self.kept.referrers.get_mut(subject).is_some_and(|all| {
                all.remove(digest);
                all.is_empty()
            });
            if is_last {
                self.kept.referrers.remove(subject);
            }
        }
        let referrers = self.kept.referrers.get(digest).into_iter().flatten();
        let referrers: Vec<_> = referrers.filter_map(|referrer| self.asked().number(referrer)).collect();
        for referrer in referrers {
            if let Some(held) = self.contents.manifests.get_mut(referrer) {
                held.idle = at;
            }
        }
    }

    /// Takes away part of what is known of a digest, and the entry with the last part.
    pub(in crate::fold) fn forget(
        &mut self,
        digest: &Digest,
        loose: Option<Loose>,
        part: impl FnOnce(&mut Content, &mut Manifests),
    ) {
        if let Some(place) = self.contents.place_of(digest) {
            self.forget_at(place, loose, part);
        }
    }

    fn forget_at(&mut self, place: Place, loose: Option<Loose>, part: impl FnOnce(&mut Content, &mut Manifests)) {
        let Kept { number, members, .. } = &mut *self.kept;
        self.contents.forget(place, (*number, members), loose, part);
    }

    /// Changes what is known of a digest by what adds to it, and says where that is.
    fn change<T>(&mut self, digest: &Digest, since: Timestamp, change: impl FnOnce(&mut Content) -> T) -> (Place, T) {
        let Kept { number, members, .. } = &mut *self.kept;
        self.contents.change(digest, (*number, members), since, change)
    }
}
