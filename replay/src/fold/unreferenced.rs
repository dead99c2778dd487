//! What nothing refers to, and since when: the questions of whoever removes bytes.

use tagstone_schema::{Digest, Timestamp};

use super::content::{Content, Parents};
use super::repository::Repository;

impl Repository {
    /// The linked blobs that no manifest names, with since when; in no order.
    pub fn unreferenced_blobs(&self) -> impl Iterator<Item = (&Digest, Timestamp)> {
        self.contents.iter().filter_map(|(digest, content)| Some((digest, content.unreferenced_since()?)))
    }

    /// Since when no manifest names the blob, if it is linked and none does.
    pub fn unreferenced_since(&self, digest: &Digest) -> Option<Timestamp> {
        self.contents.get(digest)?.unreferenced_since()
    }

    /// The manifests that nothing holds, with since when; in no order.
    pub fn idle_manifests(&self) -> impl Iterator<Item = (&Digest, Timestamp)> {
        self.contents.iter().filter_map(|(digest, content)| Some((digest, self.idle(content)?)))
    }

    /// Since when nothing holds the manifest, if it is here and nothing does: no tag, no index that names it, and no subject
    /// that is here.
    pub fn idle_since(&self, digest: &Digest) -> Option<Timestamp> {
        self.idle(self.contents.get(digest)?)
    }

    fn idle(&self, content: &Content) -> Option<Timestamp> {
        let held = content.manifest.as_ref()?;
        let stands = |subject: &Digest| self.manifest(subject).is_some();
        let is_held = !held.tags.is_empty()
            || !matches!(content.parents, Parents::None { .. })
            || held.manifest.subject.as_ref().is_some_and(stands);
        (!is_held).then_some(held.idle)
    }
}

impl Content {
    fn unreferenced_since(&self) -> Option<Timestamp> {
        match (self.blob, &self.parents) {
            (Some(_), Parents::None { since }) => Some(*since),
            _ => None,
        }
    }
}
