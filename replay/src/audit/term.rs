//! Terms: what events are found by.

use std::fmt::{self, Write};

use tagstone_schema::{Digest, Event, RepositoryName};

use super::{AuditEvent, CauseKind, Filter, Kind, What};

/// Something that events have in common. Each is a list of places in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term<'a> {
    /// Events of a kind.
    Kind(Kind),
    /// Ends of tags for a cause.
    Cause(CauseKind),
    /// What an actor of this name did, or was refused.
    Actor(&'a str),
    /// Events in a repository.
    Repository(&'a str),
    /// Events of a kind in a repository.
    KindIn(&'a str, Kind),
    /// Events below a namespace, and on its policies.
    Namespace(&'a str),
    /// Events on tags of a name, in whatever repository.
    Tag(&'a str),
    /// Events on one tag: repository and tag.
    TagOf(&'a str, &'a str),
    /// Events about a digest.
    Digest(&'a Digest),
    /// What brought a blob or a manifest into a repository, or took it out.
    Presence(&'a str, &'a Digest),
    /// Pushes into a repository of manifests whose subject is a digest.
    Referrers(&'a str, &'a Digest),
}

/// A term as the index knows it: a hash, so that every term takes the same room. Different terms may share one, so whoever
/// finds an event by it looks whether it is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermKey(pub u64);

/// The text of a term, which no other term has. Names hold no zero byte.
impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "kind\0{kind}"),
            Self::Cause(cause) => write!(f, "cause\0{cause}"),
            Self::Actor(name) => write!(f, "actor\0{name}"),
            Self::Repository(name) => write!(f, "repository\0{name}"),
            Self::KindIn(name, kind) => write!(f, "kind in\0{name}\0{kind}"),
            Self::Namespace(name) => write!(f, "namespace\0{name}"),
            Self::Tag(tag) => write!(f, "tag\0{tag}"),
            Self::TagOf(name, tag) => write!(f, "tag of\0{name}\0{tag}"),
            Self::Digest(digest) => write!(f, "digest\0{digest}"),
            Self::Presence(name, digest) => write!(f, "presence\0{name}\0{digest}"),
            Self::Referrers(name, digest) => write!(f, "referrers\0{name}\0{digest}"),
        }
    }
}

/// Makes keys of terms.
#[derive(Debug, Default)]
pub struct TermKeys {
    text: String,
}

impl TermKeys {
    /// The key of a term.
    pub fn key(&mut self, term: Term<'_>) -> TermKey {
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{term}");
        let hash = blake3::hash(self.text.as_bytes());
        TermKey(hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first)))
    }
}

impl AuditEvent<'_> {
    /// Tells every term of the event, some of them more than once.
    pub fn terms(&self, mut told: impl FnMut(Term<'_>)) {
        let kind = self.kind();
        told(Term::Kind(kind));
        if let Some(cause) = self.cause() {
            told(Term::Cause(cause));
        }
        told(Term::Actor(&self.record.actor.name));
        self.touches(|touch| {
            if let Some(repository) = touch.repository {
                told(Term::Repository(repository.as_str()));
                told(Term::KindIn(repository.as_str(), kind));
                namespaces_above(repository.as_str()).for_each(|above| told(Term::Namespace(above)));
            }
            if let Some(namespace) = touch.namespace {
                told(Term::Namespace(namespace.as_str()));
                namespaces_above(namespace.as_str()).for_each(|above| told(Term::Namespace(above)));
            }
            if let Some(tag) = touch.tag {
                told(Term::Tag(tag.as_str()));
            }
            if let (Some(repository), Some(tag)) = (touch.repository, touch.tag) {
                told(Term::TagOf(repository.as_str(), tag.as_str()));
            }
            touch.digest.iter().chain(&touch.from).for_each(|digest| told(Term::Digest(digest)));
            if let Some(actor) = touch.actor {
                told(Term::Actor(&actor.name));
            }
        });
        if let What::Written { event, .. } = self.what {
            presence_terms(event, told);
        }
    }

    /// Whether the event has a term.
    pub fn has(&self, wanted: Term<'_>) -> bool {
        let mut found = false;
        self.terms(|term| found = found || term == wanted);
        found
    }
}

fn presence_terms(event: &Event, mut told: impl FnMut(Term<'_>)) {
    match event {
        Event::BlobLinked { repository, digest, .. }
        | Event::BlobUnlinked { repository, digest }
        | Event::ManifestDeleted { repository, digest } => told(Term::Presence(repository.as_str(), digest)),
        Event::ManifestPushed { repository, digest, subject, .. } => {
            told(Term::Presence(repository.as_str(), digest));
            if let Some(subject) = subject {
                told(Term::Referrers(repository.as_str(), subject));
            }
        }
        _ => {}
    }
}

/// The proper path prefixes of a name.
fn namespaces_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

impl Filter {
    /// Terms that every selected event has, as few as select most closely. None are left where only time and seq are
    /// asked for.
    pub fn terms(&self) -> Vec<Term<'_>> {
        let repository = self.repository.as_ref().map(RepositoryName::as_str);
        let tag = self.tag.as_ref().map(tagstone_schema::Tag::as_str);
        let mut terms = Vec::new();
        match (repository, tag, self.kind) {
            (Some(repository), Some(tag), kind) => {
                terms.push(Term::TagOf(repository, tag));
                terms.extend(kind.map(|kind| Term::KindIn(repository, kind)));
            }
            (Some(repository), None, Some(kind)) => terms.push(Term::KindIn(repository, kind)),
            (Some(repository), None, None) => terms.push(Term::Repository(repository)),
            (None, tag, kind) => {
                terms.extend(tag.map(Term::Tag));
                terms.extend(kind.map(Term::Kind));
                terms.extend(self.namespace.as_ref().map(|namespace| Term::Namespace(namespace.as_str())));
            }
        }
        terms.extend(self.digest.as_ref().map(Term::Digest));
        terms.extend(self.actor.as_ref().map(|actor| Term::Actor(&actor.name)));
        terms.extend(self.cause.map(Term::Cause));
        terms
    }
}
