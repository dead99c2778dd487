//! What nothing refers to, and since when: the questions of whoever removes bytes.

use tagstone_schema::{Digest, Timestamp};

use super::Repository;
use crate::fold::contents::content::{Content, Parents};

impl<'a> Repository<'a> {
    /// The linked blobs that no manifest names, with since when; in no order.
    pub fn unreferenced_blobs(self) -> impl Iterator<Item = (&'a Digest, Timestamp)> {
        self.all().filter_map(|(digest, content)| Some((digest, content.unreferenced_since()?)))
    }

    /// Since when no manifest names the blob, if it is linked and none does.
    pub fn unreferenced_since(self, digest: &Digest) -> Option<Timestamp> {
        self.content(digest)?.unreferenced_since()
    }

    /// The manifests that nothing holds, with since when; in no order.
    pub fn idle_manifests(self) -> impl Iterator<Item = (&'a Digest, Timestamp)> {
        self.all().filter_map(move |(digest, content)| Some((digest, self.idle(content)?)))
    }

    /// Since when nothing holds the manifest, if it is here and nothing does: no tag, no index that names it, and no subject
    /// that is here.
    pub fn idle_since(self, digest: &Digest) -> Option<Timestamp> {
        self.idle(self.content(digest)?)
    }

    fn idle(self, content: &Content) -> Option<Timestamp> {
        let held = &self.contents.manifests[content.manifest?];
        let stands = |subject: &Digest| self.manifest(subject).is_some();
        let is_held = !held.tags.is_empty()
            || !matches!(content.parents, Parents::None { .. })
            || held.manifest.subject().is_some_and(stands);
        (!is_held).then_some(held.idle)
    }
}

impl Content {
    fn unreferenced_since(&self) -> Option<Timestamp> {
        match (self.blob(), &self.parents) {
            (Some(_), Parents::None { since }) => Some(*since),
            _ => None,
        }
    }
}
