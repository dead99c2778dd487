//! What is known of digests, from what a snapshot stores of them. Each portion is made by itself, beside others.

use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use tagstone_schema::{Digest, Tag};

use super::frame;
use super::restored::moment;
use super::stored::{RepositoryPlace, StoredContent, StoredEntry, StoredKnown, StoredManifest, StoredTag};
use crate::fold::contents::Entry;
use crate::fold::contents::content::{Content, Parents};
use crate::fold::contents::holders::Loose;
use crate::fold::contents::known::Known;
use crate::fold::contents::manifests::{Held, ManifestNumber};
use crate::fold::contents::places::Places;
use crate::fold::manifest::{Manifest, Types};
use crate::fold::repository::RepositoryNumber;
use crate::fold::table::entries::Entries;
use crate::fold::tag::{KeptTag, Marks, TagSet};

/// What it takes to make them.
pub(super) struct Making {
    /// By their places in the snapshot.
    pub(super) types: Vec<Arc<Types>>,
    pub(super) numbers: Vec<RepositoryNumber>,
}

/// What was made of a portion, and what has to be told elsewhere.
#[derive(Default)]
pub(super) struct Made {
    /// The entries, in pages as they will be kept.
    pub(super) pages: Vec<Vec<Entry>>,
    count: usize,
    /// The manifests that the entries and tags name, which number them from the first of these on.
    pub(super) manifests: Vec<Held>,
    pub(super) naming: Vec<Naming>,
    /// Contents of which it is said that a manifest names them.
    pub(super) named: usize,
    /// In no order.
    pub(super) tags: Vec<(RepositoryPlace, Tag, KeptTag)>,
    /// Manifests with a subject.
    pub(super) referrers: Vec<(RepositoryPlace, Digest, Digest)>,
}

/// A manifest that names something.
pub(super) struct Naming {
    /// Which of the entries it is.
    pub(super) entry: usize,
    pub(super) number: RepositoryNumber,
    pub(super) references: Places,
}

/// A portion, as it is written: a list of entries.
impl<'de> DeserializeSeed<'de> for &Making {
    type Value = Made;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Made, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &Making {
    type Value = Made;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a portion of a snapshot")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Made, A::Error> {
        let mut made = Made::default();
        while let Some(entry) = entries.next_element()? {
            self.add(&mut made, entry).map_err(A::Error::custom)?;
        }
        Ok(made)
    }
}

impl Making {
    /// Makes what the section of a portion holds, each entry as soon as it is decoded.
    pub(super) fn make(&self, section: &[u8]) -> Result<Made, String> {
        frame::decode_with(section, self)
    }

    fn add(&self, made: &mut Made, entry: StoredEntry) -> Result<(), String> {
        let StoredEntry { digest, known } = entry;
        let known = self.known(made, &digest, known)?;
        if made.count.is_multiple_of(Entries::<Entry>::PAGE) {
            made.pages.push(Vec::with_capacity(Entries::<Entry>::PAGE));
        }
        if let Some(page) = made.pages.last_mut() {
            page.push(Entry { digest, known });
        }
        made.count += 1;
        Ok(())
    }

    fn known(&self, made: &mut Made, digest: &Digest, stored: StoredKnown) -> Result<Known, String> {
        let (by, loose) = match stored {
            StoredKnown::One(repository, content) => {
                return Ok(Known::One(self.content(made, digest, repository, content)?));
            }
            StoredKnown::More { by, loose } => (by, loose),
        };
        if !by.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(format!("the repositories of {digest} are out of order"));
        }
        let mut known = Known::Nothing;
        for (repository, content) in by {
            let content = self.content(made, digest, repository, content)?;
            known.with(content.number(), || content, |_| ());
        }
        if loose.is_some() && known.is_held() {
            return Err(format!("{digest} is loose, and held as well"));
        }
        known.set_loose(loose.map(|(since, kind)| Loose { since, kind }));
        if known.is_vacant() {
            return Err(format!("nothing is known of {digest}"));
        }
        Ok(known)
    }

    fn content(
        &self,
        made: &mut Made,
        digest: &Digest,
        repository: RepositoryPlace,
        stored: StoredContent,
    ) -> Result<Content, String> {
        let StoredContent { blob, unnamed, manifest } = stored;
        if blob.is_none() && manifest.is_none() && unnamed.is_some() {
            return Err(format!("a repository has nothing under {digest}"));
        }
        let number = usize::try_from(repository).ok().and_then(|place| self.numbers.get(place).copied());
        let number = number.ok_or_else(|| format!("{digest} is in an unknown repository"))?;
        made.named += usize::from(unnamed.is_none());
        let parents = unnamed.map_or(Parents::Counted(0), |since| Parents::None { since });
        let manifest =
            manifest.map(|manifest| self.manifest(made, digest, (repository, number), manifest)).transpose()?;
        Ok(Content::of(number, blob, manifest, parents))
    }

    fn manifest(
        &self,
        made: &mut Made,
        digest: &Digest,
        (repository, number): (RepositoryPlace, RepositoryNumber),
        stored: StoredManifest,
    ) -> Result<ManifestNumber, String> {
        let StoredManifest { size, types, subject, references, pushed, idle, tags } = stored;
        if !tags.is_sorted_by(|one, next| one.tag < next.tag) {
            return Err(format!("the tags on {digest} are out of order"));
        }
        let types = usize::try_from(types).ok().and_then(|place| self.types.get(place).cloned());
        let types = types.ok_or_else(|| format!("the manifest {digest} has an unknown media type"))?;
        if references.len() > 0 {
            made.naming.push(Naming { entry: made.count, number, references: references.clone() });
        }
        if let Some(subject) = &subject {
            made.referrers.push((repository, subject.clone(), digest.clone()));
        }
        let (subject, pushed) = (subject.map(Arc::new), moment(pushed));
        let manifest = Manifest { digest: digest.clone(), size, types, subject, references, pushed };
        let number = ManifestNumber::at(made.manifests.len());
        let names = tags.iter().map(|stored| stored.tag.clone()).collect();
        made.tags.extend(tags.into_iter().map(|StoredTag { tag, since, marks }| {
            let marks = marks.map(|marks| Marks {
                locked: marks.locked.map(moment),
                expires: marks.expires,
                protected_before: marks.protected_before,
            });
            let marks = marks.filter(|marks| *marks != Marks::default()).map(Box::new);
            (repository, tag, KeptTag { manifest: number, since: moment(since), marks })
        }));
        made.manifests.push(Held { manifest, tags: TagSet::of(names), idle });
        Ok(number)
    }
}
