//! Finishing what an earlier process has begun to remove: tried until it succeeds.

use std::time::{Duration, Instant};

use crate::registry::CollectError;

/// When it is tried next.
pub(super) struct Finishing {
    /// None when all is done.
    next: Option<Instant>,
}

impl Finishing {
    /// How often it is looked whether it is time, and the pause where history cannot be asked yet.
    pub(super) const PAUSE: Duration = Duration::from_secs(1);

    /// The pause behind a failure. An attempt goes through the whole disk, and what it refuses now it may refuse for long.
    const AFTER_FAILURE: Duration = Duration::from_secs(60);

    /// At a start.
    pub(super) fn begin() -> Self {
        Self { next: Some(Instant::now()) }
    }

    /// Tries it if it is time. `finish` says whether all is done.
    pub(super) fn go_on(&mut self, now: Instant, finish: impl FnOnce() -> Result<bool, CollectError>) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.next = match finish() {
            Ok(true) => None,
            Ok(false) => Some(now),
            Err(error) => {
                tracing::error!(%error, "removals that were begun by an earlier process cannot be finished; it is tried again");
                Some(now + Self::AFTER_FAILURE)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn it_is_tried_until_it_succeeds() {
        let mut finishing = Finishing::begin();
        let start = Instant::now();
        let failed = || Err(CollectError::Bytes(io::Error::other("the disk refuses it")));
        type Attempt = fn() -> Result<bool, CollectError>;
        let cases: [(u64, Attempt, bool); 8] = [
            (0, || Ok(false), true),
            (1, failed, true),
            (2, || Ok(true), false),
            (60, || Ok(true), false),
            (61, failed, true),
            (121, || Ok(false), true),
            (122, || Ok(true), true),
            (1_000, failed, false),
        ];
        for (second, outcome, is_tried) in cases {
            let mut tried = false;
            finishing.go_on(start + Duration::from_secs(second), || {
                tried = true;
                outcome()
            });
            assert_eq!(tried, is_tried, "in second {second}");
        }
    }
}
