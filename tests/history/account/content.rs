//! Blobs, manifests and repositories.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tagstone::registry::{Condition, PutManifest};
use tagstone_schema::{Actor, Origin};

use super::{Account, Held, Refusal, Refused, mistaken};
use crate::contents::Document;

type Done = Result<(), Refused>;

impl Account {
    pub(super) fn link(
        &mut self,
        actor: &Actor,
        origin: &Origin,
        repository: &str,
        digest: &str,
        size: u64,
        from: Option<&str>,
    ) -> Done {
        if self.standing.shelves.get(repository).is_some_and(|shelf| shelf.blobs.contains_key(digest)) {
            return Ok(());
        }
        self.standing.shelves.entry(repository.to_owned()).or_default().blobs.insert(digest.to_owned(), size);
        self.begin(actor, origin);
        let fields = json!({ "repository": repository, "digest": digest, "size": size, "mounted_from": from });
        self.tell("blob_linked", fields);
        Ok(())
    }

    pub(super) fn mount(&mut self, actor: &Actor, origin: &Origin, repository: &str, digest: &str, from: &str) -> Done {
        let size = self.standing.shelves.get(from).and_then(|shelf| shelf.blobs.get(digest));
        let Some(size) = size.copied() else { return mistaken(Refusal::Unknown) };
        self.link(actor, origin, repository, digest, size, Some(from))
    }

    pub(super) fn delete_blob(&mut self, actor: &Actor, origin: &Origin, repository: &str, digest: &str) -> Done {
        if !self.standing.shelves.get(repository).is_some_and(|shelf| shelf.blobs.contains_key(digest)) {
            return mistaken(Refusal::Unknown);
        }
        self.check_held(repository, digest)?;
        self.begin(actor, origin);
        if let Some(shelf) = self.standing.shelves.get_mut(repository) {
            shelf.blobs.remove(digest);
        }
        self.tell("blob_unlinked", json!({ "repository": repository, "digest": digest }));
        Ok(())
    }

    /// Refuses to take away what a protected tag reaches, or what another manifest still names.
    fn check_held(&self, repository: &str, digest: &str) -> Done {
        let shelf = &self.standing.shelves[repository];
        let parents = |of: &str| -> Vec<&String> {
            let names = |held: &&Held| held.document.references.iter().any(|reference| reference == of);
            shelf.manifests.iter().filter(|(_, held)| names(held)).map(|(digest, _)| digest).collect()
        };
        let (mut reached, mut waiting) = (BTreeSet::from([digest.to_owned()]), vec![digest.to_owned()]);
        while let Some(next) = waiting.pop() {
            for parent in parents(&next) {
                if reached.insert(parent.clone()) {
                    waiting.push(parent.clone());
                }
            }
        }
        let attempt = || vec![(None, Some(digest.to_owned()), repository.to_owned())];
        let mut on_them = shelf.tags.iter().filter(|(_, tag)| reached.contains(&tag.digest));
        if on_them.any(|(name, _)| self.standing.protects(repository, name)) {
            return Err((Refusal::Immutable, attempt()));
        }
        if parents(digest).is_empty() { Ok(()) } else { Err((Refusal::InUse, attempt())) }
    }

    pub(super) fn put(&mut self, actor: &Actor, origin: &Origin, put: &PutManifest, document: &Arc<Document>) -> Done {
        let (repository, digest) = (put.repository.as_str(), document.digest.as_str());
        let mut tags: Vec<String> = Vec::new();
        put.tags.iter().map(ToString::to_string).for_each(|tag| {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        });
        self.check_moves(repository, &tags, digest)?;
        let shelf = self.standing.shelves.get(repository);
        let is_new = !shelf.is_some_and(|shelf| shelf.manifests.contains_key(digest));
        if is_new && !put.sparse.layers {
            let is_there = |reference: &String| {
                shelf
                    .is_some_and(|shelf| shelf.blobs.contains_key(reference) || shelf.manifests.contains_key(reference))
            };
            if !document.references.iter().all(is_there) {
                return mistaken(Refusal::Missing);
            }
        }
        let points = |tag: &String| self.tag(repository, tag).map(|tag| tag.digest.as_str());
        let holds = |tag: &String| match &put.condition {
            Condition::Always => true,
            Condition::Absent => points(tag).is_none(),
            other => panic!("the script has no {other:?}"),
        };
        if !tags.iter().all(holds) {
            return mistaken(Refusal::Precondition);
        }
        let moved: Vec<_> = tags.iter().filter(|tag| points(tag) != Some(digest)).cloned().collect();
        if !is_new && moved.is_empty() {
            return Ok(());
        }
        self.begin(actor, origin);
        if is_new {
            let held = Held { document: document.clone(), pushed: self.head };
            let shelf = self.standing.shelves.entry(repository.to_owned()).or_default();
            shelf.manifests.insert(digest.to_owned(), held);
            self.tell(
                "manifest_pushed",
                json!({
                    "repository": repository, "digest": digest, "size": document.bytes.len(),
                    "media_type": document.media_type, "artifact_type": document.artifact_type,
                    "subject": document.subject,
                }),
            );
        }
        moved.iter().for_each(|tag| self.point(repository, tag, digest));
        Ok(())
    }

    pub(super) fn delete_manifest(&mut self, actor: &Actor, origin: &Origin, repository: &str, digest: &str) -> Done {
        let Some(shelf) = self.standing.shelves.get(repository) else { return mistaken(Refusal::Unknown) };
        if !shelf.manifests.contains_key(digest) {
            return mistaken(Refusal::Unknown);
        }
        self.check_held(repository, digest)?;
        let on_it = shelf.tags.iter().filter(|(_, tag)| tag.digest == digest);
        let on_it: Vec<_> = on_it.map(|(name, _)| name.clone()).collect();
        self.begin(actor, origin);
        self.tell("manifest_deleted", json!({ "repository": repository, "digest": digest }));
        on_it.iter().for_each(|tag| self.end(repository, tag, "manifest_deleted", Value::Null));
        if let Some(shelf) = self.standing.shelves.get_mut(repository) {
            shelf.manifests.remove(digest);
        }
        Ok(())
    }

    pub(super) fn delete_repository(&mut self, actor: &Actor, origin: &Origin, repository: &str) -> Done {
        let Some(shelf) = self.standing.shelves.get(repository) else { return mistaken(Refusal::Unknown) };
        let tags: Vec<_> = shelf.tags.keys().cloned().collect();
        if tags.iter().any(|tag| self.standing.protects(repository, tag)) {
            return Err((Refusal::Immutable, vec![(None, None, repository.to_owned())]));
        }
        self.begin(actor, origin);
        self.tell("repository_deleted", json!({ "repository": repository }));
        tags.iter().for_each(|tag| self.end(repository, tag, "repository_deleted", Value::Null));
        self.standing.shelves.remove(repository);
        Ok(())
    }
}
