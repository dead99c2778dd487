//! What a long run tells the person who waits for it.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

/// Counts on stderr, once a run has taken long enough to be wondered about, and only where a person reads it.
pub(super) struct Progress {
    what: &'static str,
    begun: Instant,
    count: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(1);
    /// Looking at the clock costs more than folding a record.
    const LOOK_EVERY: u64 = 256;

    /// Progress over `what`, such as `records`.
    pub(super) fn over(what: &'static str) -> Self {
        Self { what, begun: Instant::now(), count: 0, bar: None }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.count += 1;
        if !self.count.is_multiple_of(Self::LOOK_EVERY) {
            return;
        }
        if self.bar.is_none() && self.begun.elapsed() >= Self::PATIENCE && stderr().is_terminal() {
            self.bar = Some(ProgressBar::new_spinner());
        }
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {}", self.count, self.what));
            bar.tick();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
