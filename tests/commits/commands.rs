//! Commands of tests.

use bytes::Bytes;
use tagstone::registry::{Command, Condition, CreatePolicy, Expiry, Lock, PutManifest, SetTag, Sparse, Submission};
use tagstone_replay::content::hash_of;
use tagstone_schema::media_type::{ManifestKind, OCI_IMAGE};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Actor, Algorithm, Digest, Id, Origin, RepositoryName, Tag, Timestamp};

pub(crate) fn name(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

pub(crate) fn tag(tag: &str) -> Tag {
    tag.parse().unwrap()
}

pub(crate) fn digest_of(text: &str) -> Digest {
    hash_of(Algorithm::Sha256, text.as_bytes())
}

pub(crate) fn submission(command: Command) -> Submission {
    Submission::new(Actor::anonymous(), Origin::default(), command)
}

/// A small blob that travels with its command.
pub(crate) fn link(repository: &str, blob: &str) -> Submission {
    let (digest, size) = (digest_of(blob), blob.len() as u64);
    let mut submission = submission(Command::LinkBlob { repository: name(repository), digest: digest.clone(), size });
    submission.contents.push((digest, Bytes::from(blob.to_owned())));
    submission
}

pub(crate) fn delete_blob(repository: &str, blob: &str) -> Submission {
    submission(Command::DeleteBlob { repository: name(repository), digest: digest_of(blob) })
}

pub(crate) fn delete_manifest(repository: &str, manifest: &str) -> Submission {
    let (repository, digest) = (name(repository), digest_of(manifest));
    submission(Command::DeleteManifest { repository, digest, condition: Condition::Always })
}

pub(crate) fn delete_tag(repository: &str, name_of_tag: &str, condition: Condition) -> Submission {
    submission(Command::DeleteTag { repository: name(repository), tag: tag(name_of_tag), condition })
}

/// The push of an image whose bytes are its own name.
pub(crate) fn image(repository: &str, manifest: &str, blobs: &[&str], tags: &[&str]) -> PutManifest {
    PutManifest {
        repository: name(repository),
        digest: digest_of(manifest),
        size: manifest.len() as u64,
        media_type: OCI_IMAGE.parse().unwrap(),
        kind: ManifestKind::Image,
        artifact_type: None,
        subject: None,
        references: blobs.iter().map(|blob| digest_of(blob)).collect(),
        required: blobs.iter().map(|blob| digest_of(blob)).collect(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        condition: Condition::Always,
        sparse: Sparse { index: false, layers: false },
    }
}

pub(crate) fn put(image: PutManifest) -> Submission {
    submission(Command::PutManifest(Box::new(image)))
}

/// The push of an image with its bytes.
pub(crate) fn push(repository: &str, manifest: &str, blobs: &[&str], tags: &[&str]) -> Submission {
    let mut submission = put(image(repository, manifest, blobs, tags));
    submission.contents.push((digest_of(manifest), Bytes::from(manifest.to_owned())));
    submission
}

/// Nothing about a tag, to be changed in what matters.
pub(crate) fn unset(repository: &str, name_of_tag: &str) -> SetTag {
    let (repository, tag) = (name(repository), tag(name_of_tag));
    SetTag { repository, tag, manifest: None, expiry: Expiry::Keep, lock: Lock::Keep }
}

pub(crate) fn set_tag(set: SetTag) -> Submission {
    submission(Command::SetTag(Box::new(set)))
}

pub(crate) fn lock(repository: &str, tag: &str) -> Submission {
    set_tag(SetTag { lock: Lock::Lock, ..unset(repository, tag) })
}

pub(crate) fn unlock(repository: &str, tag: &str) -> Submission {
    set_tag(SetTag { lock: Lock::Unlock, ..unset(repository, tag) })
}

pub(crate) fn expires(repository: &str, tag: &str, at: i64) -> Submission {
    set_tag(SetTag { expiry: Expiry::At(Timestamp(at)), ..unset(repository, tag) })
}

/// Tags that match are immutable.
pub(crate) fn immutable(regex: &str) -> Rule {
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    Rule::Immutability { pattern, include_referrer_tags: false }
}

/// A draft for the whole registry.
pub(crate) fn draft(policy: Id, rule: Rule) -> Submission {
    submission(Command::CreatePolicy(Box::new(CreatePolicy { policy, scope: Scope::Registry, rule, draft: true })))
}

/// An active policy for the whole registry.
pub(crate) fn create(policy: Id, rule: Rule) -> Submission {
    submission(Command::CreatePolicy(Box::new(CreatePolicy { policy, scope: Scope::Registry, rule, draft: false })))
}

pub(crate) fn activate(policy: Id) -> Submission {
    submission(Command::ActivatePolicy { policy })
}

pub(crate) fn retire(policy: Id) -> Submission {
    submission(Command::RemovePolicy { policy })
}
