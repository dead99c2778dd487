//! The published state: what readers see.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};

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
pub struct Published {
    newest: Arc<ArcSwap<Snapshot>>,
    /// Wakes whoever follows.
    follower: Option<Arc<SyncSender<()>>>,
    /// Held by everyone who can publish or ask, so that whoever follows sees the last of them go.
    _held: Arc<()>,
}

impl Published {
    /// Publishes the state after a start.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { newest: Arc::new(ArcSwap::from_pointee(snapshot)), follower: None, _held: Arc::default() }
    }

    /// Publishes the state after a start, for one that follows too.
    pub fn followed(snapshot: Snapshot) -> (Self, Newer) {
        let newest = Arc::new(ArcSwap::from_pointee(snapshot));
        let (follower, woken) = sync_channel(1);
        // The state after the start is news as well.
        let _ = follower.try_send(());
        let (follower, held) = (Arc::new(follower), Arc::new(()));
        let newer = Newer {
            newest: newest.clone(),
            woken,
            waker: Waker(Arc::downgrade(&follower)),
            holders: Arc::downgrade(&held),
        };
        (Self { newest, follower: Some(follower), _held: held }, newer)
    }

    /// The newest state, for a moment. It must not be held across an await: it would keep a slot of the swap busy.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.newest.load()
    }

    /// The newest state, for as long as it is wanted.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.newest.load_full()
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.newest.store(Arc::new(snapshot));
        if let Some(follower) = &self.follower {
            // Where a call waits already, it is not heard yet and will find this state. Where nobody hears any more,
            // nobody follows.
            let _ = follower.try_send(());
        }
    }
}

/// The newest durable states, for one that waits for each. It may miss states between two others, never the last.
#[derive(Debug)]
pub struct Newer {
    newest: Arc<ArcSwap<Snapshot>>,
    woken: Receiver<()>,
    waker: Waker,
    holders: Weak<()>,
}

/// Wakes whoever follows without news. It does not keep him waiting when nobody can publish any more.
#[derive(Clone, Debug)]
pub struct Waker(Weak<SyncSender<()>>);

impl Waker {
    /// Wakes him.
    pub fn wake(&self) {
        if let Some(follower) = self.0.upgrade() {
            // Where a call waits already, one is enough.
            let _ = follower.try_send(());
        }
    }
}

impl Newer {
    /// Waits for a state that was published since the last call, or, at first, the one after the start; who is woken gets the
    /// one that he has seen. None when nobody
    /// can publish any more and the last one was seen.
    pub fn next(&self) -> Option<Arc<Snapshot>> {
        self.woken.recv().ok().map(|()| self.newest.load_full())
    }

    /// What wakes the one who waits.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Whether nobody can publish or ask any more.
    pub fn is_over(&self) -> bool {
        self.holders.strong_count() == 0
    }
}
