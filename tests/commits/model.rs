//! A registry as a beginner would write it: maps of texts, no sharing, no log. It says what should have happened.

use std::collections::BTreeMap;
use std::fmt::Write;

use tagstone::registry::{Command, Condition, PutManifest};
use tagstone_schema::media_type::ManifestKind;
use tagstone_schema::{Digest, Id};

use crate::registry::{Answer, START};

/// Everything, by name.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    repositories: BTreeMap<String, Shelf>,
    seq: u64,
    time: i64,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    blobs: BTreeMap<String, u64>,
    /// By digest; with the moment of the push.
    manifests: BTreeMap<String, (PutManifest, String)>,
    /// The digest, and the moment since when.
    tags: BTreeMap<String, (String, String)>,
}

/// What should come of a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expected {
    Committed(u64),
    Unchanged,
    Rejected,
}

impl Expected {
    pub(crate) fn fits(self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Committed(seq), Answer::Committed(told)) => seq == *told,
            (Self::Unchanged, Answer::Unchanged) | (Self::Rejected, Answer::Rejected(_)) => true,
            _ => false,
        }
    }
}

impl Model {
    /// A log with its first record.
    pub(crate) fn new() -> Self {
        Self { repositories: BTreeMap::new(), seq: 1, time: START }
    }

    /// What a command does when the clock shows `clock`.
    pub(crate) fn apply(&mut self, command: &Command, clock: i64) -> Expected {
        let (seq, time) = (self.seq + 1, clock.max(self.time + 1));
        let mut next = self.repositories.clone();
        let Some(changed) = change(&mut next, command, &format!("{seq}@{time}")) else { return Expected::Rejected };
        if !changed {
            return Expected::Unchanged;
        }
        (self.repositories, self.seq, self.time) = (next, seq, time);
        Expected::Committed(seq)
    }

    /// A stop records what was refused, which changes nothing but the number and time of later records.
    pub(crate) fn record_refusals(&mut self, clock: i64) {
        (self.seq, self.time) = (self.seq + 1, clock.max(self.time + 1));
    }

    /// BLAKE3 over the canonical text, as the format's document has it.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = format!("tagstone state 2\nlog {}\n", Id([1; 16]));
        for (name, shelf) in &self.repositories {
            writeln!(text, "repository {name}").unwrap();
            for (digest, size) in &shelf.blobs {
                writeln!(text, "blob {digest} {size}").unwrap();
            }
            for (digest, (image, pushed)) in &shelf.manifests {
                writeln!(text, "manifest {digest} {} {} - - {pushed}", image.size, image.media_type).unwrap();
                let mut references: Vec<_> = image.references.iter().map(Digest::to_string).collect();
                references.sort();
                for reference in references {
                    writeln!(text, "reference {reference}").unwrap();
                }
            }
            for (tag, (digest, since)) in &shelf.tags {
                writeln!(text, "tag {tag} {digest} {since} - - -").unwrap();
            }
        }
        blake3::hash(text.as_bytes()).to_string()
    }
}

/// Changes the maps. Whether anything was changed; nothing where the command is to be rejected.
fn change(shelves: &mut BTreeMap<String, Shelf>, command: &Command, now: &str) -> Option<bool> {
    match command {
        Command::LinkBlob { repository, digest, size } => {
            let shelf = shelves.entry(repository.to_string()).or_default();
            Some(shelf.blobs.insert(digest.to_string(), *size).is_none())
        }
        Command::MountBlob { repository, digest, from } => {
            let size = *shelves.get(from.as_str())?.blobs.get(&digest.to_string())?;
            let shelf = shelves.entry(repository.to_string()).or_default();
            Some(shelf.blobs.insert(digest.to_string(), size).is_none())
        }
        Command::DeleteBlob { repository, digest } => {
            let shelf = shelves.get_mut(repository.as_str())?;
            shelf.blobs.remove(&digest.to_string())?;
            shelf.is_free(digest).then_some(true)
        }
        Command::DeleteManifest { repository, digest, condition } => {
            let shelf = shelves.get_mut(repository.as_str())?;
            shelf.manifests.remove(&digest.to_string())?;
            shelf.tags.retain(|_, (on, _)| *on != digest.to_string());
            (shelf.is_free(digest) && holds(condition, Some(&digest.to_string()))).then_some(true)
        }
        Command::DeleteTag { repository, tag, condition } => {
            let shelf = shelves.get_mut(repository.as_str())?;
            let (standing, _) = shelf.tags.remove(tag.as_str())?;
            holds(condition, Some(&standing)).then_some(true)
        }
        Command::PutManifest(image) => put(shelves.entry(image.repository.to_string()).or_default(), image, now),
        other => panic!("the model does not know {other:?}"),
    }
}

fn put(shelf: &mut Shelf, image: &PutManifest, now: &str) -> Option<bool> {
    let digest = image.digest.to_string();
    let mut changed = false;
    if image.tags.is_empty() && !holds(&image.condition, shelf.manifests.contains_key(&digest).then_some(&digest)) {
        return None;
    }
    if !shelf.manifests.contains_key(&digest) {
        let is_there = |reference: &Digest| match image.kind {
            ManifestKind::Image => shelf.blobs.contains_key(&reference.to_string()),
            ManifestKind::Index => shelf.manifests.contains_key(&reference.to_string()),
        };
        if !image.references.iter().all(is_there) {
            return None;
        }
        shelf.manifests.insert(digest.clone(), (image.clone(), now.to_owned()));
        changed = true;
    }
    let before = shelf.tags.clone();
    for tag in &image.tags {
        let standing = before.get(tag.as_str()).map(|(on, _)| on);
        if !holds(&image.condition, standing) {
            return None;
        }
        if standing != Some(&digest) {
            shelf.tags.insert(tag.to_string(), (digest.clone(), now.to_owned()));
            changed = true;
        }
    }
    Some(changed)
}

fn holds(condition: &Condition, standing: Option<&String>) -> bool {
    let named = |digests: &[Digest]| digests.iter().any(|digest| Some(&digest.to_string()) == standing);
    match condition {
        Condition::Always => true,
        Condition::Exists => standing.is_some(),
        Condition::Absent => standing.is_none(),
        Condition::PointsAt(digests) => named(digests),
        Condition::PointsElsewhere(digests) => !named(digests),
    }
}

impl Shelf {
    /// Whether no manifest names the content.
    fn is_free(&self, digest: &Digest) -> bool {
        self.manifests.values().all(|(image, _)| !image.references.contains(digest))
    }
}
