//! Asking a question of a source: one replay, with progress, and with what is wrong with the log said on stderr.

use tagstone_replay::audit::Unfolded;
use tagstone_replay::fold::{Effect, State};
use tagstone_replay::source::{PointError, Replay, Step, Witness, replay_before};
use tagstone_schema::Head;

use super::invocation::Invocation;
use super::progress::Progress;
use super::state::said_problems;
use super::{Finding, Unable};

/// Replays a source before a witness. A damaged log is no reason to stop: what is sound was told, and the finding says
/// that it is not all.
pub(super) fn ask(asked: &Invocation, source: &str, witness: &mut impl Witness) -> Result<(Replay, Finding), Unable> {
    let source = asked.open(source)?;
    let mut counted = Counted { progress: Progress::over("records"), witness };
    let replayed = replay_before(&source, &mut counted);
    drop(counted);
    let replayed = replayed?;
    let finding = said_problems(&replayed);
    Ok((replayed, finding))
}

/// A witness, and somebody who counts.
struct Counted<'a, W> {
    progress: Progress,
    witness: &'a mut W,
}

impl<W: Witness> Witness for Counted<'_, W> {
    fn passes(&mut self, step: &Step<'_>) {
        self.progress.step();
        self.witness.passes(step);
    }

    fn sees(&mut self, event: usize, effect: &Effect<'_>) {
        self.witness.sees(event, effect);
    }

    fn learns(&mut self, record: &Unfolded, state: &State) {
        self.witness.learns(record, state);
    }
}

/// What a point came to. One that a sound log would have had is missing because the log is damaged: that is a finding,
/// which was said, and no wrong usage.
pub(super) fn at_point<T>(found: Result<T, PointError>, finding: Finding) -> Result<Option<T>, Unable> {
    match (found, finding) {
        (Ok(found), _) => Ok(Some(found)),
        (Err(error), Finding::Violated) => {
            eprintln!("tagstone-replay: {error}");
            Ok(None)
        }
        (Err(error), Finding::Holds) => Err(error.into()),
    }
}

/// What was asked about is not in the log. Where the log is damaged it may have been in what is lost.
pub(super) fn unknown(what: &str, head: &Head, finding: Finding) -> Result<Finding, Unable> {
    match finding {
        Finding::Holds => Err(Unable(format!("{what} in the log, which ends at record {}", head.seq))),
        Finding::Violated => {
            eprintln!("tagstone-replay: {what} in the sound part of the log, which ends at record {}", head.seq);
            Ok(Finding::Violated)
        }
    }
}
