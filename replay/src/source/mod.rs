//! Sources of a log: where an investigator reads it from, always without changing it.
//!
//! There are three: the data directory of a stopped registry, an exported file, and a running registry. Each is an
//! implementation of [`Source`]; everything above it, from the chain to the questions, is the same for all.

mod address;
mod contents;
mod data_directory;
mod export_file;
mod kept_state;
mod opened;
mod point;
mod registry;
mod registry_error;
mod replay;
mod trust;

use tagstone_schema::{Head, Id, Seq};

pub use address::{AddressError, Credentials, user_alone};
pub use contents::{Linked, check_contents};
pub use data_directory::DataDirectory;
pub use export_file::ExportFile;
pub use kept_state::KeptState;
pub use opened::{OpenSource, SourceError, is_registry, open, open_any, open_whole};
pub use point::{Point, PointError, PointParseError, StateAt};
pub use registry::RunningRegistry;
pub use registry_error::RegistryError;
pub use replay::{Concerns, Problem, Replay, Step, Unread, Witness, replay, replay_before};
pub use trust::{Trust, TrustError};

use crate::log::RecordBytes;

/// How a running registry is asked.
#[derive(Clone, Default)]
pub struct Asking {
    /// Who asks, beside what the URL says.
    pub credentials: Option<Credentials>,
    /// Whom it has to be certified by.
    pub trust: Trust,
}

/// A place that a log is read from. Nothing that it returns was verified.
pub trait Source {
    /// The stored bytes of the records from `from` on, in order.
    fn records(&self, from: Seq) -> RecordBytes<'_>;

    /// What stands outside of the log about where it ends.
    fn durable_end(&self) -> &DurableEnd;

    /// The record that the first one follows: the empty head, but for a part of a log.
    fn begins_behind(&self) -> Head {
        Head::default()
    }

    /// The log that the place says it was taken from.
    fn log(&self) -> Option<Id> {
        None
    }

    /// Why records could not be had that may well be sound. It is known once they were asked for.
    fn unread(&self) -> Option<String> {
        None
    }

    /// What is wrong with the place itself, although records could be read from it, and from which of them on. It is known once they
    /// were read.
    fn damage(&self) -> Option<(Seq, String)> {
        None
    }
}

/// What is known about the last record that was made durable, from outside of the log: a prefix of a log is itself a
/// valid log, so without this a lost end would go unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurableEnd {
    /// The log reaches at least to here, as its anchor says.
    Known(Head),
    /// It ends exactly here.
    Exact {
        /// The last record.
        head: Head,
        /// What says so.
        said_by: &'static str,
    },
    /// It should be known, but is not, for this reason.
    Lost(String),
}

impl DurableEnd {
    /// The last record that was made durable, as far as is known or said.
    pub fn head(&self) -> Option<Head> {
        match self {
            Self::Known(head) | Self::Exact { head, .. } => Some(*head),
            Self::Lost(_) => None,
        }
    }
}
