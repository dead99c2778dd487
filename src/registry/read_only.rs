//! Why a registry is read-only, and whether it is.

use std::sync::{Arc, OnceLock};

use tagstone_replay::fold::IllegalEvent;
use tagstone_replay::log::chain::Broken;
use tagstone_schema::{Head, Seq};

/// Damage of the log that was found while the registry serves. No start of the registry mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogDamage {
    /// A record is not what was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A record that a question needs cannot be read.
    #[error("record {seq} cannot be read: {why}")]
    Unreadable {
        /// The record.
        seq: Seq,
        /// What is wrong.
        why: String,
    },
    /// A record is whole, and its events are impossible.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// The log is shorter than it was.
    #[error("the log ends at record {found}, before record {expected}")]
    Short {
        /// The last record.
        found: Seq,
        /// The one that is known to have been there.
        expected: Seq,
    },
    /// The records are sound, and lead elsewhere than the state that is served.
    #[error("the records up to {found} do not lead to the snapshot's {known}")]
    Astray {
        /// Where they lead.
        found: Head,
        /// The record of the snapshot.
        known: Head,
    },
}

/// Why nothing is written any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadOnly {
    /// It is unknown what a write has left behind. A start finds out.
    #[error("the registry is read-only since a write to its disk failed; an operator has to restart it")]
    WriteFailed,
    /// A log that is known to be damaged must not be written on.
    #[error(
        "the registry is read-only since its log is damaged: {0}. `tagstone-replay verify` says how far the log is sound; a \
         restart does not help"
    )]
    LogDamaged(Arc<LogDamage>),
}

/// Whether anything is still written. Clones are of the same registry.
#[derive(Clone, Debug, Default)]
pub struct Writing(Arc<OnceLock<ReadOnly>>);

impl Writing {
    /// Why nothing is written any more, if that is so.
    pub fn ended(&self) -> Option<&ReadOnly> {
        self.0.get()
    }

    /// Ends all writing until a restart. What ended it first stays the reason.
    pub fn end(&self, why: ReadOnly) {
        // An error says that it has ended already.
        let _ = self.0.set(why);
    }
}
