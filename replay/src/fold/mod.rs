//! The fold: the state of a registry, and the checked transition by which every event changes it.
//!
//! **Invariant**: [`State::apply`] rejects what could never have happened, so replaying a log proves that no registry
//! with a bug wrote something impossible into it.

mod contents;
mod effect;
mod evolve;
mod expiry;
mod fingerprint;
mod foresight;
mod immutability;
mod live;
mod manifest;
#[cfg(test)]
mod naive;
mod policy;
#[cfg(test)]
pub(crate) mod properties;
mod repository;
pub mod snapshot;
mod state;
mod table;
mod tag;
mod tags;
mod token;

pub use contents::holders::Loose;
pub use effect::{Effect, EndCause, Stood};
pub use evolve::{IllegalEvent, Illegality};
pub use fingerprint::Fingerprint;
#[cfg(test)]
pub(crate) use immutability::tests::property::legal_events;
pub use immutability::{Demand, Preview, Protection, Reason, Spent, Why, WhyReason};
pub use live::{Live, SpentAt};
pub use manifest::Manifest;
pub use policy::{Policy, PolicyStatus};
pub use repository::Repository;
pub use state::{Moment, State};
pub use tag::{TagSet, TagState};
pub use token::Token;
