//! A gate in front of the writer: what is queued while it is shut, the writer finds all at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagstone::registry::Submission;

use crate::fake_disk::{AtStep, Step};
use crate::registry::{Answer, Registry, answers};

/// The gate of one registry.
pub(crate) struct Gate {
    shut: Arc<AtomicBool>,
    arrivals: Receiver<()>,
    go_on: Sender<()>,
}

impl Gate {
    /// A gate, and what the writer has to do at each step.
    pub(crate) fn new() -> (Self, AtStep) {
        let ((arrived, arrivals), (go_on, opened)) = (channel(), channel());
        let shut = Arc::new(AtomicBool::new(false));
        let at = {
            let shut = shut.clone();
            Arc::new(Mutex::new(move |step| {
                if step == Step::Storing && shut.swap(false, Ordering::SeqCst) {
                    arrived.send(()).unwrap();
                    opened.recv().unwrap();
                }
            }))
        };
        (Self { shut, arrivals, go_on }, at)
    }

    /// Commits commands in batches as large as the settings allow. The writer stands at the gate with an empty batch
    /// while they are queued; so it looks for expired tags once before them.
    pub(crate) fn commit(&self, registry: &Registry, submissions: Vec<Submission>) -> Vec<Answer> {
        self.shut.store(true, Ordering::SeqCst);
        registry.handle.wake();
        while self.arrivals.recv_timeout(Duration::from_millis(50)).is_err() {
            assert!(!registry.handle.is_poisoned(), "the writer has died before it came to the gate");
        }
        let waiting = submissions.into_iter().map(|submission| registry.queue(submission)).collect();
        self.go_on.send(()).unwrap();
        answers(waiting)
    }
}
