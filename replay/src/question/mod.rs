//! The questions of an investigator, each answered by one replay of the log.
//!
//! A question is a [`Witness`](crate::source::Witness) of the replay: it sees every event as it is folded, keeps what
//! belongs to the answer and nothing more, and prints nothing.

mod difference;
mod protections;
mod reasons;
mod report;
mod subject;
mod whereabouts;

use serde::Serializer;

pub use difference::{
    BlobChange, Change, Difference, FromTo, ManifestChange, PolicyChange, PolicyStands, RepositoryChange, Since,
    SpentChange, TagChange, TokenChange,
};
pub use protections::{EndedBy, Protected, ProtectedBy};
pub use reasons::{Reasons, WhyAnswer};
pub use report::{ActorSummary, At, Bounds, BrokenSeal, Outcome, RefusedGroup, Report, Reporter, SpentName, Tried};
pub use subject::{Subject, SubjectError, TagSubject};
pub use whereabouts::{Held, HeldAs, Removed, Stay, Whereabouts};

use crate::audit::{EventForm, Found};

/// Writes events in the form in which they are told everywhere.
fn as_forms<S: Serializer>(events: &[Found], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(events.iter().filter_map(Found::event).map(|event| EventForm::from(&event)))
}
