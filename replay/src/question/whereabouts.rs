//! Where a digest ever was: the tags that pointed at it, the repositories that held it.

use std::collections::BTreeMap;

use serde::Serialize;
use tagstone_schema::{Digest, Event, RepositoryName, Tag};

use crate::audit::{AuditEvent, Deed, TagTurn, Turn, Unfolded, What};
use crate::fold::State;
use crate::source::Witness;

/// Everything that a log says of one digest. What is still so has no end.
#[derive(Debug, Serialize)]
pub struct Whereabouts {
    /// The digest.
    pub digest: Digest,
    /// The tags that pointed at it, in the order in which they began to.
    pub tags: Vec<Stay>,
    /// The repositories that held it, in the order in which they began to.
    pub held: Vec<Held>,
    /// When its bytes were removed from the disk.
    pub removed: Vec<Removed>,
    #[serde(skip)]
    open_stays: BTreeMap<(RepositoryName, Tag), usize>,
    #[serde(skip)]
    open_holds: BTreeMap<(RepositoryName, HeldAs), usize>,
}

/// A time during which a tag pointed at the digest.
#[derive(Debug, Serialize)]
pub struct Stay {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What made it point there.
    pub since: TagTurn,
    /// What made it leave; none where it still points there.
    pub until: Option<TagTurn>,
}

/// A time during which a repository held the digest.
#[derive(Debug, Serialize)]
pub struct Held {
    /// The repository.
    pub repository: RepositoryName,
    /// What it was there.
    #[serde(rename = "as")]
    pub held_as: HeldAs,
    /// What brought it.
    pub since: Deed,
    /// What took it away; none where it is still there.
    pub until: Option<Deed>,
}

/// What a digest was to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldAs {
    /// A blob.
    Blob,
    /// A manifest.
    Manifest,
}

/// A removal of its bytes.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// Who, when, from where.
    #[serde(flatten)]
    pub deed: Deed,
    /// `content_purged` or `content_collected`.
    pub event: &'static str,
    /// The reason that was given for a purge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Whereabouts {
    /// Will find a digest.
    pub fn of(digest: Digest) -> Self {
        let (tags, held, removed) = (Vec::new(), Vec::new(), Vec::new());
        Self { digest, tags, held, removed, open_stays: BTreeMap::new(), open_holds: BTreeMap::new() }
    }

    fn look(&mut self, event: &AuditEvent<'_>) {
        if let Some(turned) = event.turned()
            && [turned.from, turned.to].contains(&Some(&self.digest))
            && let Some(turn) = TagTurn::of(event)
        {
            self.turned(turn);
        }
        let What::Written { event: written, .. } = event.what else { return };
        match written {
            Event::BlobLinked { repository, digest, .. } if *digest == self.digest => {
                self.came(repository, HeldAs::Blob, event);
            }
            Event::ManifestPushed { repository, digest, .. } if *digest == self.digest => {
                self.came(repository, HeldAs::Manifest, event);
            }
            Event::BlobUnlinked { repository, digest } if *digest == self.digest => {
                self.went(repository, HeldAs::Blob, event);
            }
            Event::ManifestDeleted { repository, digest } if *digest == self.digest => {
                self.went(repository, HeldAs::Manifest, event);
            }
            Event::RepositoryDeleted { repository } => {
                self.went(repository, HeldAs::Blob, event);
                self.went(repository, HeldAs::Manifest, event);
            }
            Event::ContentPurged { contents, reason, .. } if contents.iter().any(|it| it.digest == self.digest) => {
                self.gone(event, Some(reason.clone()));
            }
            Event::ContentCollected { contents } if contents.iter().any(|it| it.digest == self.digest) => {
                self.gone(event, None);
            }
            _ => {}
        }
    }

    fn turned(&mut self, turn: TagTurn) {
        let (repository, tag) = (turn.repository.clone(), turn.tag.clone());
        let arrives = matches!(&turn.turn, Turn::Created { to } | Turn::Moved { to, .. } if *to == self.digest);
        if arrives {
            self.open_stays.insert((repository.clone(), tag.clone()), self.tags.len());
            self.tags.push(Stay { repository, tag, since: turn, until: None });
        } else if let Some(stay) = self.open_stays.remove(&(repository, tag)).and_then(|at| self.tags.get_mut(at)) {
            stay.until = Some(turn);
        }
    }

    fn came(&mut self, repository: &RepositoryName, held_as: HeldAs, event: &AuditEvent<'_>) {
        self.open_holds.insert((repository.clone(), held_as), self.held.len());
        self.held.push(Held { repository: repository.clone(), held_as, since: Deed::of(event), until: None });
    }

    fn went(&mut self, repository: &RepositoryName, held_as: HeldAs, event: &AuditEvent<'_>) {
        let open = self.open_holds.remove(&(repository.clone(), held_as));
        if let Some(held) = open.and_then(|at| self.held.get_mut(at)) {
            held.until = Some(Deed::of(event));
        }
    }

    fn gone(&mut self, event: &AuditEvent<'_>, reason: Option<String>) {
        self.removed.push(Removed { deed: Deed::of(event), event: event.kind().name(), reason });
    }
}

impl Witness for Whereabouts {
    fn learns(&mut self, record: &Unfolded, _state: &State) {
        record.events().for_each(|event| self.look(&event));
    }
}
