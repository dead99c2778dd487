//! The audit: what happened, one event after the other, as people ask for it.
//!
//! A record says what cannot be derived. An audit event is one thing that happened, written or derived: every tag's end is an
//! event of its own, whether its record names the tag, or only the manifest or the repository that it ended with.

mod archive;
mod deed;
mod derived;
mod event;
mod filter;
mod folded;
mod form;
pub mod index;
mod kind;
pub mod past;
mod place;
mod query;
mod stay;
mod stretch;
mod tag_history;
mod term;
mod touch;
mod turn;
mod unfolded;

pub use archive::{Archive, ArchiveError};
pub use deed::Deed;
pub use derived::{Derived, RevokedToken};
pub use event::{AuditEvent, TagEnd, What};
pub use filter::{ActorName, Filter, FilterError};
pub use folded::Folded;
pub use form::EventForm;
pub use kind::{CauseKind, Kind, UnknownName};
pub use place::{Place, PlaceError};
pub use query::{Found, Order, Page, Query};
pub use stay::{End, Stay};
pub use stretch::Stretch;
pub use tag_history::{TagChange, TagEntries, TagEntry, TagHistory};
pub use term::{Term, TermKey, TermKeys};
pub use touch::Touch;
pub use turn::{TagTurn, Turn, TurnedTag};
pub use unfolded::Unfolded;
