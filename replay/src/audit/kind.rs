//! The names of what can happen.

use std::fmt;
use std::str::FromStr;

use tagstone_schema::Event;

use crate::fold::EndCause;

/// Names that a filter may give, each with the variant that it stands for.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, in snake case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|known| known.name() == text).ok_or_else(|| UnknownName {
                    what: $what,
                    given: text.chars().take(80).collect(),
                    known: Self::ALL.iter().map(|known| known.name()).collect(),
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// A name that a filter gives and that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}; there are {}", known.join(", "))]
pub struct UnknownName {
    what: &'static str,
    given: String,
    known: Vec<&'static str>,
}

named! {
    /// The kind of an event.
    Kind, "kind of event", {
        /// The log began.
        LogStarted = "log_started",
        /// A server opened the log.
        ServerStarted = "server_started",
        /// A blob became visible in a repository.
        BlobLinked = "blob_linked",
        /// A blob was deleted from a repository.
        BlobUnlinked = "blob_unlinked",
        /// A manifest became visible in a repository.
        ManifestPushed = "manifest_pushed",
        /// A manifest was deleted from its repository.
        ManifestDeleted = "manifest_deleted",
        /// A tag was created, or moved.
        TagMoved = "tag_moved",
        /// A tag ended, for whatever cause.
        TagDeleted = "tag_deleted",
        /// An administrator removed a protected tag; its end follows as `tag_deleted`.
        TagErased = "tag_erased",
        /// A tag was protected by hand.
        TagLocked = "tag_locked",
        /// The protection by hand was lifted.
        TagUnlocked = "tag_unlocked",
        /// The time at which a tag expires was set or removed.
        TagExpirySet = "tag_expiry_set",
        /// A policy was written down.
        PolicyDrafted = "policy_drafted",
        /// A policy began to hold.
        PolicyActivated = "policy_activated",
        /// A policy's rule was replaced.
        PolicyChanged = "policy_changed",
        /// A policy ceased to hold.
        PolicyRetired = "policy_retired",
        /// A draft was removed.
        DraftRemoved = "draft_removed",
        /// A repository was deleted.
        RepositoryDeleted = "repository_deleted",
        /// Bytes were removed on demand.
        ContentPurged = "content_purged",
        /// Bytes that nothing referenced were removed.
        ContentCollected = "content_collected",
        /// An access token was issued.
        TokenIssued = "token_issued",
        /// An access token was revoked.
        TokenRevoked = "token_revoked",
        /// What was tried and refused.
        AttemptsRefused = "attempts_refused",
    }
}

named! {
    /// Why a tag ended, by name.
    CauseKind, "cause of a tag's end", {
        /// A client asked for it.
        Request = "request",
        /// A prune policy.
        Prune = "prune",
        /// Its time had come.
        Expiry = "expiry",
        /// Its content was purged.
        Purge = "purge",
        /// An administrator removed it although it was protected.
        Erased = "erased",
        /// Its manifest was deleted.
        ManifestDeleted = "manifest_deleted",
        /// Its repository was deleted.
        RepositoryDeleted = "repository_deleted",
    }
}

impl Kind {
    /// The kind of an event as it is written.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::LogStarted { .. } => Self::LogStarted,
            Event::ServerStarted { .. } => Self::ServerStarted,
            Event::BlobLinked { .. } => Self::BlobLinked,
            Event::BlobUnlinked { .. } => Self::BlobUnlinked,
            Event::ManifestPushed { .. } => Self::ManifestPushed,
            Event::ManifestDeleted { .. } => Self::ManifestDeleted,
            Event::TagMoved { .. } => Self::TagMoved,
            Event::TagsDeleted { .. } => Self::TagDeleted,
            Event::TagErased { .. } => Self::TagErased,
            Event::TagLocked { .. } => Self::TagLocked,
            Event::TagUnlocked { .. } => Self::TagUnlocked,
            Event::TagExpirySet { .. } => Self::TagExpirySet,
            Event::PolicyDrafted { .. } => Self::PolicyDrafted,
            Event::PolicyActivated { .. } => Self::PolicyActivated,
            Event::PolicyChanged { .. } => Self::PolicyChanged,
            Event::PolicyRetired { .. } => Self::PolicyRetired,
            Event::DraftRemoved { .. } => Self::DraftRemoved,
            Event::RepositoryDeleted { .. } => Self::RepositoryDeleted,
            Event::ContentPurged { .. } => Self::ContentPurged,
            Event::ContentCollected { .. } => Self::ContentCollected,
            Event::TokenIssued { .. } => Self::TokenIssued,
            Event::TokenRevoked { .. } => Self::TokenRevoked,
            Event::AttemptsRefused { .. } => Self::AttemptsRefused,
        }
    }
}

impl From<EndCause> for CauseKind {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Request => Self::Request,
            EndCause::Prune { .. } => Self::Prune,
            EndCause::Expiry => Self::Expiry,
            EndCause::Purge => Self::Purge,
            EndCause::Erased => Self::Erased,
            EndCause::ManifestDeleted => Self::ManifestDeleted,
            EndCause::RepositoryDeleted => Self::RepositoryDeleted,
        }
    }
}
