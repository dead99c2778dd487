//! The fingerprint: one hash over the whole state, the same wherever the same log is folded.
//!
//! It is BLAKE3 over a canonical text of the state; `docs/format.md` ("The fingerprint") specifies it. Bumping the
//! first line is the only way to change what is covered.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use tagstone_schema::digest::hex;

use super::policy::PolicyStatus;
use super::repository::Repository;
use super::state::{Moment, State};

/// BLAKE3 over the canonical text of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        tagstone_schema::digest::unhex(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a fingerprint"))
    }
}

impl State {
    /// The fingerprint of the state. It takes time in proportion to the state's size.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = CanonicalText::default();
        text.state(self);
        text.finish()
    }
}

/// Hashes the canonical text: one line an item, fields separated by one space, an absent field as `-`. Texts that
/// people chose stand as JSON strings, so that no field can hold a line break.
#[derive(Default)]
struct CanonicalText {
    hasher: blake3::Hasher,
    pending: String,
}

impl CanonicalText {
    /// Large enough that BLAKE3 hashes many chunks side by side.
    const PENDING_BYTES: usize = 64 * 1024;

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.pending, "{line}");
        if self.pending.len() >= Self::PENDING_BYTES {
            self.hasher.update(self.pending.as_bytes());
            self.pending.clear();
        }
    }

    fn finish(mut self) -> Fingerprint {
        self.hasher.update(self.pending.as_bytes());
        Fingerprint(*self.hasher.finalize().as_bytes())
    }

    fn state(&mut self, state: &State) {
        self.line(format_args!("tagstone state 2"));
        self.line(format_args!("log {}", Field(state.log())));
        for (name, repository) in state.repositories() {
            self.line(format_args!("repository {name}"));
            self.repository(repository);
        }
        for (id, policy) in state.policies() {
            let status = match policy.status {
                PolicyStatus::Draft => "draft",
                PolicyStatus::Active => "active",
                PolicyStatus::Retired => "retired",
            };
            let (created, activated) = (policy.created, Field(policy.activated));
            let (in_force, retired) = (Field(policy.in_force), Field(policy.retired));
            let definition = json(&(&policy.scope, &policy.rule));
            self.line(format_args!("policy {id} {status} {created} {activated} {in_force} {retired} {definition}"));
        }
        for (scope, demand, until) in state.rules.ended() {
            let definition = json(&(&scope, demand.selector.pattern(), demand.include_referrer_tags));
            self.line(format_args!("ended {until} {definition}"));
        }
        for (repository, tag, spent) in state.spent_names() {
            self.line(format_args!("spent {repository} {tag} {} {}", spent.only, spent.removed));
        }
        for (id, token) in state.tokens() {
            let (issued, revoked) = (token.issued, Field(token.revoked));
            let (hash, expires) = (hex(&token.secret_hash), Field(token.expires.map(|at| at.0)));
            let definition = json(&(&token.subject, &token.scopes, &token.label));
            self.line(format_args!("token {id} {issued} {revoked} {expires} {hash} {definition}"));
        }
    }

    fn repository(&mut self, repository: Repository<'_>) {
        for (digest, size) in repository.blobs() {
            self.line(format_args!("blob {digest} {size}"));
        }
        for manifest in repository.manifests() {
            self.line(format_args!(
                "manifest {} {} {} {} {} {}",
                manifest.digest,
                manifest.size,
                manifest.media_type,
                Field(manifest.artifact_type.as_ref()),
                Field(manifest.subject.as_ref()),
                manifest.pushed
            ));
            for reference in &manifest.references {
                self.line(format_args!("reference {reference}"));
            }
        }
        for (tag, state) in repository.tags_after(None) {
            let (locked, expires) = (Field(state.locked()), Field(state.expires().map(|at| at.0)));
            let (digest, since, before) = (state.digest(), state.since(), Field(state.protected_before()));
            self.line(format_args!("tag {tag} {digest} {since} {locked} {expires} {before}"));
        }
    }
}

/// A field that may be absent.
struct Field<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// `<seq>@<microseconds>`
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.seq, self.time.0)
    }
}

/// Compact JSON. The values here hold nothing that JSON cannot express.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
