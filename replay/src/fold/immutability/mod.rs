//! Immutability: which tags are protected, which names are spent.
//!
//! Protection is computed from the ordered log, never stored: a tag is protected while it is locked by hand, or while a
//! policy in force selects its name. So to activate a policy is one event whatever the number of tags, and there is
//! nothing that could be half applied.
//!
//! What must not be forgotten is that a name *was* protected: once it is gone it can only come back as the digest that
//! it was protected at. That is decided when the tag moves or ends, by asking which rules were in force since it began to
//! point where it points ([`Rules`] keeps the end of every rule that ever was). Two things cannot be asked for
//! afterwards and are kept: a digest that a protected tag was moved away from (`Marks::protected_before`), and the names
//! that are spent ([`Spent`]).
//!
//! **Invariant**: [`State::evolve`](super::State::evolve) asks the same questions as whoever decides on commands, and
//! rejects an event that breaks an answer. A registry with a bug in its own check cannot write the violation.

mod preview;
mod protection;
mod rules;
mod spent;
#[cfg(test)]
pub(crate) mod tests;
mod why;

pub use preview::Preview;
pub use protection::{Protection, Reason};
pub use rules::Demand;
pub(super) use rules::Rules;
pub use spent::Spent;
pub(super) use spent::SpentNames;
pub use why::{Why, WhyReason};
