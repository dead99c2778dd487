//! The vocabulary of a Tagstone registry: names, digests, events, records and their bytes.
//!
//! Nothing here does IO, reads a clock, or knows HTTP. The bytes are specified in `docs/format.md`.

pub mod actor;
pub mod digest;
pub mod event;
pub mod fragment;
mod lanes;
pub mod limits;
pub mod media_type;
pub mod name;
pub mod policy;
mod reading;
pub mod record;
pub mod references;
mod text;
pub mod time;

pub use actor::{Actor, ActorKind, Origin};
pub use digest::{Algorithm, Digest};
pub use event::Event;
pub use media_type::MediaType;
pub use name::{Namespace, RepositoryName, Tag};
pub use policy::Id;
pub use record::{EncodedRecord, Head, Position, Record, RecordHash, Seq};
pub use references::References;
pub use time::Timestamp;
