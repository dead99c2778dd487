//! Verifying what a start from a snapshot did not look at.
//!
//! Such a start verifies the records behind the snapshot and that the log holds the snapshot's own record. The chain of all records
//! before it is verified right afterwards, beside the serving: damage there takes nothing away from the state, but evidence from whoever
//! asks for history, and a log that is known to be damaged must not be written on.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tagstone_replay::log::RecordReader;
use tagstone_replay::log::chain::{Broken, BrokenWhy, Chain};
use tagstone_schema::Head;

use crate::registry::{LogDamage, Stop};

/// Records that are verified before the machine is left to others for a moment: few, since whoever asks
/// meanwhile waits for the disk until they are read.
const RECORDS_AT_ONCE: u64 = 200;

/// How long it then is: verification takes about a tenth of a core.
const REST: Duration = Duration::from_millis(4);

/// What the verification of earlier records has found.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Sound,
    Stopped,
    Damaged(LogDamage),
}

/// The thread that verifies.
pub(super) struct Verifying {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Verifying {
    /// Verifies the records up to `known`, and tells `damaged` what is wrong with them, if something is.
    pub(super) fn begin(
        records: RecordReader,
        known: Head,
        damaged: impl FnOnce(LogDamage) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::default();
        let stopped = stop.clone();
        let verify = move || match verified(&records, known, &stopped) {
            Outcome::Sound => tracing::info!(records = known.seq, "the records before the snapshot are sound"),
            Outcome::Stopped => {}
            Outcome::Damaged(damage) => damaged(damage),
        };
        let thread = std::thread::Builder::new().name("verification".to_owned()).spawn(verify)?;
        Ok(Self { stop, thread })
    }

    /// Ends it, wherever it is.
    pub(super) fn end(self) {
        self.stop.ask();
        if self.thread.join().is_err() {
            tracing::error!("the verification of earlier records ended by a panic");
        }
    }
}

fn verified(records: &RecordReader, known: Head, stop: &Stop) -> Outcome {
    let mut chain = Chain::default();
    let mut stored = records.read(1);
    while chain.head().seq < known.seq {
        let seq = chain.head().seq + 1;
        let next = match stored.next() {
            Some(Ok(stored)) => chain.next(&stored).map(drop),
            Some(Err(error)) => Err(Broken { seq, why: BrokenWhy::Unreadable(error.to_string()) }),
            None => Err(Broken { seq, why: BrokenWhy::Unreadable("it is missing".to_owned()) }),
        };
        if let Err(broken) = next {
            return Outcome::Damaged(broken.into());
        }
        if seq.is_multiple_of(RECORDS_AT_ONCE) {
            std::thread::sleep(REST);
            if stop.is_asked() {
                return Outcome::Stopped;
            }
        }
    }
    match chain.head() == known {
        true => Outcome::Sound,
        false => Outcome::Damaged(LogDamage::Astray { found: chain.head(), known }),
    }
}

#[cfg(test)]
mod tests {
    use tagstone_replay::content::Layout;
    use tagstone_replay::log::{EmbeddedLog, Log, Options};
    use tagstone_schema::record::FORMAT_VERSION;
    use tagstone_schema::{Actor, Event, Id, Origin, Record, RecordHash, Timestamp};

    use super::*;

    #[test]
    fn the_chain_up_to_a_snapshot_is_sound_or_told_where_it_breaks() {
        let directory = tempfile::tempdir().unwrap();
        let mut log =
            EmbeddedLog::open(&Layout::new(directory.path()), Options::default(), &mut |_| Ok(())).unwrap().log;
        let mut heads = vec![log.head()];
        for seq in 1..=5_i64 {
            // The fourth names a predecessor that is not there.
            let prev = if seq == 4 { RecordHash([4; 32]) } else { log.head().hash };
            let (actor, origin) = (Actor::system("test"), Origin::default());
            let events = vec![Event::LogStarted { log: Id([1; 16]) }];
            let (seq, time) = (seq.cast_unsigned(), Timestamp(seq));
            let record = Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events };
            log.append(&log.head(), &[record.encode().unwrap()]).unwrap();
            heads.push(log.head());
        }
        let (reader, stop) = (log.reader(), Stop::default());
        assert_eq!(verified(&reader, heads[3], &stop), Outcome::Sound);
        let broken = |known| match verified(&reader, known, &stop) {
            Outcome::Damaged(damage) => damage.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(broken(heads[5]).starts_with("record 4 is not sound"), "{}", broken(heads[5]));
        assert!(broken(Head { hash: RecordHash([9; 32]), ..heads[2] }).contains("do not lead to"));
        let beyond = Head { seq: 9, ..heads[3] };
        assert!(broken(beyond).starts_with("record 4"));
    }
}
