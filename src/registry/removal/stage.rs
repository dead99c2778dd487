//! Where a collection acts: on the registry, or on a state of its own that shows what would come of it.

use std::sync::Arc;

use tagstone_replay::fold::{Moment, State};
use tagstone_schema::{Event, Seq};

use super::collector::{CollectOrder, CollectParts};
use crate::registry::command::{Command, Submission};
use crate::registry::decide::decide;
use crate::registry::prune::Way;
use crate::registry::published::Snapshot;
use crate::registry::writer::WriteError;

/// Where a collection acts.
pub(super) enum Stage<'a> {
    /// On the registry.
    Real { parts: &'a CollectParts, order: &'a CollectOrder, snapshot: Arc<Snapshot> },
    /// On a copy of its state.
    Dry { parts: &'a CollectParts, state: Box<State> },
}

impl<'a> Stage<'a> {
    pub(super) fn of(parts: &'a CollectParts, order: &'a CollectOrder) -> Self {
        let snapshot = parts.published.snapshot();
        match order.way {
            Way::Delete => Self::Real { parts, order, snapshot },
            Way::Dry => Self::Dry { parts, state: Box::new(snapshot.state.clone()) },
        }
    }

    /// The state as it is by what was done so far.
    pub(super) fn state(&self) -> &State {
        match self {
            Self::Real { snapshot, .. } => &snapshot.state,
            Self::Dry { state, .. } => state,
        }
    }

    /// Does something: the events that came of it, and their record if there is one.
    pub(super) fn act(&mut self, command: Command) -> Result<(Vec<Event>, Option<Seq>), WriteError> {
        match self {
            Self::Real { parts, order, snapshot } => {
                let submission = Submission::new(order.actor.clone(), order.origin.clone(), command);
                let committed = parts.writer.submit_blocking(submission)?;
                parts.promises.let_go(&committed);
                *snapshot = parts.published.snapshot();
                Ok((committed.events, committed.seq))
            }
            Self::Dry { parts, state } => {
                let events = decide(state, &command)?;
                let at = Moment { seq: Seq::MAX, time: parts.clock.now() };
                for event in &events {
                    // What the fold refuses here the writer would refuse as a bug.
                    let _ = state.evolve(at, event);
                }
                Ok((events, None))
            }
        }
    }
}
