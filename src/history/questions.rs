//! When history was last asked for, so that whoever reads the log for hours makes room for those who wait for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For so long after a question others are likely to come: whoever asks for the histories of many tags asks again at once.
const LATELY: Duration = Duration::from_millis(50);

/// When history was last asked for. Clones are the same.
#[derive(Clone, Debug)]
pub struct Questions {
    since: Instant,
    /// Milliseconds from then to the end of the time in which the last question was asked lately.
    until: Arc<AtomicU64>,
}

impl Default for Questions {
    fn default() -> Self {
        Self { since: Instant::now(), until: Arc::default() }
    }
}

impl Questions {
    /// Somebody asks.
    pub fn note(&self) {
        self.note_at(Instant::now());
    }

    /// Whether somebody has asked lately.
    pub fn are_asked(&self) -> bool {
        self.are_asked_at(Instant::now())
    }

    fn note_at(&self, now: Instant) {
        self.until.fetch_max(self.millis(now + LATELY), Ordering::Relaxed);
    }

    fn are_asked_at(&self, now: Instant) -> bool {
        self.millis(now) < self.until.load(Ordering::Relaxed)
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_was_asked_lately_for_a_while() {
        let questions = Questions::default();
        let at = |millis| questions.since + Duration::from_millis(millis);
        let asked = |millis| questions.are_asked_at(at(millis));
        assert!(!asked(0) && !asked(1_000));
        questions.note_at(at(1_000));
        assert!(asked(1_000) && asked(1_049) && !asked(1_050));
        // Two that came at once were noted in another order.
        questions.clone().note_at(at(1_020));
        questions.note_at(at(1_010));
        assert!(asked(1_069) && !asked(1_070));
    }
}
