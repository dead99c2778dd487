//! The snapshot that a start of the registry would begin with, held against the log.

use tagstone_schema::Head;

use super::{Concerns, Problem, Step};
use crate::content::Layout;
use crate::fold::Fingerprint;
use crate::fold::snapshot::{self, SnapshotError};

/// What the snapshot of a data directory says. Its checksum shows damage; only the log shows whether it was ever true.
#[derive(Debug)]
pub struct KeptState {
    head: Head,
    fingerprint: Fingerprint,
    verdict: Verdict,
    /// The fingerprint of the state that the replay has come to, if it was told and no event has changed the state since.
    replayed: Option<Fingerprint>,
}

#[derive(Debug)]
enum Verdict {
    /// The log has no such record, or its state there could not be told.
    Unseen,
    Agrees,
    Differs(Fingerprint),
}

impl KeptState {
    /// Reads the snapshot of a data directory, if there is one. One that cannot be read is ignored by a start as well.
    pub fn read(layout: &Layout) -> Result<Option<Self>, SnapshotError> {
        match snapshot::read(&layout.snapshot()) {
            Ok((state, head)) => {
                let (fingerprint, verdict, replayed) = (state.fingerprint(), Verdict::Unseen, None);
                Ok(Some(Self { head, fingerprint, verdict, replayed }))
            }
            Err(SnapshotError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares it where a replay passes its record.
    pub fn look(&mut self, step: &Step<'_>) {
        if let (true, Some(state)) = (step.head == self.head, step.state) {
            let replayed = state.fingerprint();
            self.verdict = if replayed == self.fingerprint { Verdict::Agrees } else { Verdict::Differs(replayed) };
            self.replayed = Some(replayed);
        }
        if self.replayed.is_some()
            && let Some(record) = step.next
            && !record.events.iter().all(Fingerprint::stays_with)
        {
            self.replayed = None;
        }
    }

    /// The fingerprint of the state behind the last place that it looked at, where that is known already: most snapshots are as new as
    /// their log.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.replayed
    }

    /// What is wrong with it. A snapshot of a record that the log does not have is nothing wrong: no start begins with it.
    pub fn problem(&self) -> Option<Problem> {
        let Verdict::Differs(replayed) = self.verdict else { return None };
        let (seq, kept) = (self.head.seq, self.fingerprint);
        let what = format!(
            "the file `snapshot` has a state with the fingerprint {kept} behind record {seq}, but the records come to \
             {replayed}; a start would serve the former. Remove the file while the registry is stopped"
        );
        Some(Problem { seq, what, concerns: Concerns::Snapshot })
    }
}
