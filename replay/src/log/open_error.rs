//! Why a log cannot be opened, and what an operator can do about it.

use std::io;
use std::path::PathBuf;

use tagstone_schema::{Head, RecordHash};

use super::anchor::AnchorError;
use super::chain::Broken;
use crate::fold::IllegalEvent;

/// Why a log was not opened. The messages say what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory cannot be made or read; the error names it.
    #[error("{0}")]
    Directory(io::Error),
    /// There is neither a log nor an anchor, but something else.
    #[error(
        "{} holds `{found}`, but neither `log` nor `anchor`. If this is the data directory of a registry, its history is \
         missing: bring back the newest copy of both. A new registry begins only in an empty directory: choose one \
         with --data",
        path.display()
    )]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
        /// One of its entries.
        found: String,
    },
    /// sled refused, or panicked.
    #[error(
        "the log in {} cannot be opened: {why}. Keep a copy of the directory as it is. \
         `tagstone-replay verify` shows how far the log is sound; an export of it can be restored with `tagstone-replay restore`",
        path.display()
    )]
    Unusable {
        /// The directory of the log.
        path: PathBuf,
        /// What was said.
        why: String,
    },
    /// There is a log without a usable anchor.
    #[error(
        "{source}. Check with `tagstone-replay verify` that the log is whole; then `tagstone recover --data DIR` shows its head and writes a new anchor"
    )]
    Anchor {
        /// What is wrong with it.
        source: AnchorError,
    },
    /// The log ends before its anchor.
    #[error(
        "the log ends at record {}, but records up to {} were made durable: records {} to {} are missing. Bring back the \
         newest copy of the log; if it is lost for good, `tagstone recover --data DIR` accepts the shorter log",
        head.seq, anchor.seq, head.seq + 1, anchor.seq
    )]
    BelowAnchor {
        /// The last sound record.
        head: Head,
        /// What the anchor names.
        anchor: Head,
    },
    /// The log is another one than the anchor's.
    #[error(
        "record {} of the log has the hash {found}, but the anchor names {}: log and anchor do not belong together. Bring \
         back the log that the anchor was written for",
        anchor.seq, anchor.hash
    )]
    AnchorDiffers {
        /// What the anchor names.
        anchor: Head,
        /// The hash that was found there.
        found: RecordHash,
    },
    /// A record that was acknowledged is damaged.
    #[error(
        "{0}. The record was acknowledged, so it is not dropped silently. Bring back a sound copy of the log; if \
         there is none, `tagstone-replay export --sound-part` and `tagstone-replay restore` make a data directory of the \
         records before it"
    )]
    Broken(Broken),
    /// The log holds what its own rules forbid.
    #[error("{0}. The log is whole, but no correct registry wrote this record")]
    Illegal(IllegalEvent),
}
