//! The published state: what readers see.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tagstone_replay::fold::State;
use tagstone_schema::Head;

/// A state with the place in the log that it stands for.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// The last record that it contains.
    pub head: Head,
}

/// The newest durable state. It is swapped whole, so a reader never sees half of a commit, and never waits.
#[derive(Clone, Debug, Default)]
pub struct Published(Arc<ArcSwap<Snapshot>>);

impl Published {
    /// Publishes the state after a start.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// The newest state, for a moment. It must not be held across an await: it would keep a slot of the swap busy.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.0.load()
    }

    /// The newest state, for as long as it is wanted.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
