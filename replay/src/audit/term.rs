//! Terms: what events are found by.

use tagstone_schema::{Digest, Event, RepositoryName};
use twox_hash::XxHash3_64;

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
    /// The moves of one tag to a digest.
    Move(&'a str, &'a str, &'a Digest),
}

/// A term as the index knows it: a hash, so that every term takes the same room. Different terms may share one, so whoever
/// finds an event by it looks whether it is the right one.
///
/// It has 48 bits: among some ten millions of terms hardly two share one, and the index stores little more than what
/// distinguishes neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermKey(pub u64);

impl TermKey {
    /// What every event has.
    pub const EVERY: Self = Self(0);

    /// The greatest key.
    pub const LAST: Self = Self((1 << 48) - 1);
}

/// Makes keys of terms, for one index: each has a seed of its own, so that nobody can choose names that share keys.
#[derive(Clone, Debug, Default)]
pub struct TermKeys {
    seed: u64,
    bytes: Vec<u8>,
}

impl TermKeys {
    /// The keys of an index with this seed.
    pub fn with_seed(seed: u64) -> Self {
        Self { seed, bytes: Vec::new() }
    }

    /// The key of a term.
    pub fn key(&mut self, term: Term<'_>) -> TermKey {
        self.bytes.clear();
        self.write(term);
        let hash = XxHash3_64::oneshot_with_seed(self.seed, &self.bytes) & TermKey::LAST.0;
        TermKey(hash.max(1))
    }

    /// Writes the bytes of a term, which no other term has: names hold no zero byte. Indexes depend on them.
    fn write(&mut self, term: Term<'_>) {
        match term {
            Term::Kind(kind) => self.texts(1, &[kind.name()]),
            Term::Cause(cause) => self.texts(2, &[cause.name()]),
            Term::Actor(name) => self.texts(3, &[name]),
            Term::Repository(name) => self.texts(4, &[name]),
            Term::KindIn(name, kind) => self.texts(5, &[name, kind.name()]),
            Term::Namespace(name) => self.texts(6, &[name]),
            Term::Tag(tag) => self.texts(7, &[tag]),
            Term::TagOf(name, tag) => self.texts(8, &[name, tag]),
            Term::Digest(digest) => self.digest(9, &[], digest),
            Term::Presence(name, digest) => self.digest(10, &[name], digest),
            Term::Referrers(name, digest) => self.digest(11, &[name], digest),
            Term::Move(name, tag, digest) => self.digest(12, &[name, tag], digest),
        }
    }

    fn texts(&mut self, term: u8, texts: &[&str]) {
        self.bytes.push(term);
        for text in texts {
            self.bytes.extend_from_slice(text.as_bytes());
            self.bytes.push(0);
        }
    }

    /// The algorithm of a digest is told by its length.
    fn digest(&mut self, term: u8, texts: &[&str], digest: &Digest) {
        self.texts(term, texts);
        self.bytes.extend_from_slice(digest.raw());
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
        match self.what {
            What::Written { event, .. } => content_terms(event, told),
            What::TagEnded(_) => {}
        }
    }

    /// Whether the event has a term.
    pub fn has(&self, wanted: Term<'_>) -> bool {
        let mut found = false;
        self.terms(|term| found = found || term == wanted);
        found
    }
}

fn content_terms(event: &Event, mut told: impl FnMut(Term<'_>)) {
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
        Event::TagMoved { repository, tag, to, .. } => {
            told(Term::Move(repository.as_str(), tag.as_str(), to));
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
