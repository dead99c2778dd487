//! What records hold, in the order in which it is stored, with the numbers of variants: `docs/format.md`, for the machine.

use smol_str::SmolStr;

use super::{Malformed, Reader, Stored};
use crate::actor::{Actor, ActorKind, Origin};
use crate::event::{Action, ContentKind, DeletionCause, EndedTag, Event, RefusedAttempt, RemovedContent, TokenScope};
use crate::fragment::Start;
use crate::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule, Scope};
use crate::record::{Record, RecordHash};
use crate::{Digest, Id, MediaType, Namespace, References, RepositoryName, Tag, Timestamp};

/// Fields are read in the order in which they stand here. Those of a tuple have numbers for names.
macro_rules! stored {
    ($(struct $name:ident { $($field:tt),+ })+) => {$(
        impl Stored for $name {
            #[inline]
            fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self { $($field: Stored::read(from)?),+ })
            }
        }
    )+};
    ($(enum $name:ident { $($number:literal => $variant:ident { $($field:tt),* })+ })+) => {$(
        impl Stored for $name {
            #[inline]
            fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                match u32::read(from)? {
                    $($number => Ok(Self::$variant { $($field: Stored::read(from)?),* }),)+
                    other => Err(from.malformed(format_args!(
                        concat!("{} is the number of no ", stringify!($name)), other
                    ))),
                }
            }
        }
    )+};
}

stored! {
    struct Record { format, seq, time, prev, actor, origin, events }
    struct Start { format, seq, time, prev }
    struct Timestamp { 0 }
    struct RecordHash { 0 }
    struct Id { 0 }
    struct EndedTag { tag, was }
    struct RemovedContent { digest, size, content }
    struct TokenScope { repositories, actions }
    struct RefusedAttempt { first, last, actor, address, repository, tag, digest, reason, count }
    struct Pattern { regex, matches }
    struct Age { count, unit }
}

stored! {
    enum Event {
        0 => LogStarted { log }
        1 => ServerStarted { version }
        2 => BlobLinked { repository, digest, size, mounted_from }
        3 => BlobUnlinked { repository, digest }
        4 => ManifestPushed { repository, digest, size, media_type, artifact_type, subject, references }
        5 => ManifestDeleted { repository, digest }
        6 => TagMoved { repository, tag, from, to }
        7 => TagsDeleted { repository, tags, cause }
        8 => TagErased { repository, tag, was, reason }
        9 => TagLocked { repository, tag }
        10 => TagUnlocked { repository, tag }
        11 => TagExpirySet { repository, tag, at }
        12 => PolicyDrafted { policy, scope, rule }
        13 => PolicyActivated { policy, scope, rule }
        14 => PolicyChanged { policy, rule }
        15 => PolicyRetired { policy }
        16 => DraftRemoved { policy }
        17 => RepositoryDeleted { repository }
        18 => ContentPurged { repository, contents, reason }
        19 => ContentCollected { contents }
        20 => TokenIssued { token, subject, scopes, secret_hash, expires, label }
        21 => TokenRevoked { token }
        22 => AttemptsRefused { since, until, entries, others }
    }
    enum ActorKind { 0 => User {} 1 => Anonymous {} 2 => System {} 3 => Token {} }
    enum DeletionCause { 0 => Request {} 1 => Prune { policy, run } 2 => Expiry {} 3 => Purge {} }
    enum ContentKind { 0 => Manifest {} 1 => Blob {} }
    enum Action { 0 => Pull {} 1 => Push {} 2 => Delete {} }
    enum Scope { 0 => Registry {} 1 => Namespace { 0 } 2 => Repository { 0 } }
    enum Rule { 0 => Immutability { pattern, include_referrer_tags } 1 => Prune { method, pattern } }
    enum PruneMethod { 0 => NumberOfTags { 0 } 1 => CreationDate { 0 } }
    enum AgeUnit { 0 => Seconds {} 1 => Minutes {} 2 => Hours {} 3 => Days {} 4 => Weeks {} 5 => Years {} }
}

impl Stored for Actor {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { kind: Stored::read(from)?, name: from.again(|texts| &mut texts.actors)? })
    }
}

impl Stored for Origin {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        // The request id is another one in every record.
        let request_id = from.text::<SmolStr>()?;
        let address = from.again(|texts| &mut texts.addresses)?;
        Ok(Self { request_id, address, user_agent: from.again(|texts| &mut texts.user_agents)? })
    }
}

impl Stored for RepositoryName {
    #[inline]
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.again(|texts| &mut texts.repositories)
    }
}

impl Stored for MediaType {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.again(|texts| &mut texts.media_types)
    }
}

impl Stored for Namespace {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.text()
    }
}

impl Stored for Tag {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.text()
    }
}

impl Stored for Digest {
    #[inline]
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let raw = from.bytes()?;
        Self::from_raw(raw).map_err(|error| from.malformed(error))
    }
}

impl Stored for References {
    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let [sha256, sha512] = [from.bytes()?, from.bytes()?];
        Self::of_packed(sha256, sha512).map_err(|error| from.malformed(error))
    }
}
