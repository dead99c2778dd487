//! Verifying what a start from a snapshot did not look at.
//!
//! Such a start verifies the records behind the snapshot and that the log holds the snapshot's own record. The chain of all records
//! before it is verified right afterwards, beside the serving: damage there takes nothing away from the state, but evidence from whoever
//! asks for history, and a log that is known to be damaged must not be written on.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tagstone_replay::log::{Ahead, RecordReader};
use tagstone_schema::Head;

use crate::history::Questions;
use crate::registry::{LogDamage, Stop};

/// Records that are verified before the machine is left to others for a moment: few, since whoever asks
/// meanwhile waits for the disk until they are read.
const RECORDS_AT_ONCE: usize = 200;

/// How long it then is: verification takes about a tenth of a core.
const REST: Duration = Duration::from_millis(4);

/// How often it rests at most while history is asked for, whose answers come from the same disk: without that, each twentieth
/// question right after a start takes longer than 5 ms. Where it is asked for all the time, some 1,000 records a second are verified.
const RESTS: u32 = 50;

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
        questions: Questions,
        damaged: impl FnOnce(LogDamage) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Stop::default();
        let stopped = stop.clone();
        let verify = move || match verified(&records, known, &questions, &stopped) {
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

fn verified(records: &RecordReader, known: Head, questions: &Questions, stop: &Stop) -> Outcome {
    let left = usize::try_from(known.seq).unwrap_or(usize::MAX);
    let mut ahead = Ahead::of(records.read(1).take(left), Head::default()).with_end(Some(known));
    let mut since_rest = 0;
    for sound in ahead.by_ref() {
        since_rest += sound.len();
        if since_rest >= RECORDS_AT_ONCE {
            since_rest = 0;
            rest(questions, stop, std::thread::sleep);
            if stop.is_asked() {
                return Outcome::Stopped;
            }
        }
    }
    let found = ahead.head();
    match ahead.broken() {
        Some(broken) => Outcome::Damaged(broken.into()),
        None if found == known => Outcome::Sound,
        None if found.seq < known.seq => Outcome::Damaged(LogDamage::Short { found: found.seq, expected: known.seq }),
        None => Outcome::Damaged(LogDamage::Astray { found, known }),
    }
}

/// Leaves the machine to others: for longer while history is asked for.
fn rest(questions: &Questions, stop: &Stop, sleep: impl Fn(Duration)) {
    sleep(REST);
    let mut rests = 1;
    while rests < RESTS && questions.are_asked() && !stop.is_asked() {
        sleep(REST);
        rests += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use tagstone_replay::content::Layout;
    use tagstone_replay::log::{EmbeddedLog, Log, Options};
    use tagstone_schema::record::FORMAT_VERSION;
    use tagstone_schema::{Actor, Event, Id, Origin, Record, RecordHash, Seq, Timestamp};

    use super::*;

    /// A log, and its heads; one of its records may name a predecessor that is not there.
    fn log(directory: &Path, records: Seq, astray: Seq) -> (EmbeddedLog, Vec<Head>) {
        let mut log = EmbeddedLog::open(&Layout::new(directory), Options::default(), &mut |_| Ok(())).unwrap().log;
        let (mut heads, mut encoded) = (vec![log.head()], Vec::new());
        for seq in 1..=records {
            let prev = if seq == astray { RecordHash([4; 32]) } else { heads.last().unwrap().hash };
            let (actor, origin) = (Actor::system("test"), Origin::default());
            let events = vec![Event::LogStarted { log: Id([1; 16]) }];
            let record =
                Record { format: FORMAT_VERSION, seq, time: Timestamp(seq.cast_signed()), prev, actor, origin, events };
            encoded.push(record.encode().unwrap());
            heads.push(encoded.last().unwrap().head());
        }
        log.append(&log.head(), &encoded).unwrap();
        (log, heads)
    }

    #[test]
    fn the_chain_up_to_a_snapshot_is_sound_or_told_where_it_breaks() {
        let directory = tempfile::tempdir().unwrap();
        let (log, heads) = log(directory.path(), 5, 4);
        let (reader, questions, stop) = (log.reader(), Questions::default(), Stop::default());
        assert_eq!(verified(&reader, heads[3], &questions, &stop), Outcome::Sound);
        let broken = |known| match verified(&reader, known, &questions, &stop) {
            Outcome::Damaged(damage) => damage.to_string(),
            other => panic!("{other:?}"),
        };
        // The fourth record does not name the third, and the fifth names the fourth.
        assert!(broken(heads[5]).starts_with("record 3 is not sound: it was altered"), "{}", broken(heads[5]));
        assert!(broken(heads[4]).starts_with("record 3 is not sound: it was altered"), "{}", broken(heads[4]));
        assert!(broken(Head { hash: RecordHash([9; 32]), ..heads[2] }).contains("do not lead to"));
        drop((log, reader));
        let directory = tempfile::tempdir().unwrap();
        let (log, heads) = self::log(directory.path(), 5, 0);
        let beyond = Head { seq: 9, ..heads[3] };
        match verified(&log.reader(), beyond, &questions, &stop) {
            Outcome::Damaged(damage) => assert_eq!(damage, LogDamage::Short { found: 5, expected: 9 }),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_goes_on_although_history_is_asked_for_all_the_time_and_can_be_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let (log, heads) = log(directory.path(), RECORDS_AT_ONCE as u64 + 1, 0);
        let (reader, questions, stop) = (log.reader(), Questions::default(), Stop::default());
        let known = *heads.last().unwrap();
        std::thread::scope(|scope| {
            let verifying = scope.spawn(|| verified(&reader, known, &questions, &stop));
            while !verifying.is_finished() {
                questions.note();
                std::thread::yield_now();
            }
            assert_eq!(verifying.join().unwrap(), Outcome::Sound);
        });
        stop.ask();
        assert_eq!(verified(&reader, known, &questions, &stop), Outcome::Stopped);
    }

    #[test]
    fn it_rests_longer_while_history_is_asked_for_unless_it_is_to_stop() {
        let (questions, stop, rests) = (Questions::default(), Stop::default(), Cell::new(0));
        let rests_while = |asked: bool, stop: &Stop| {
            rests.set(0);
            rest(&questions, stop, |_| {
                rests.set(rests.get() + 1);
                if asked {
                    questions.note();
                }
            });
            rests.get()
        };
        assert_eq!(rests_while(false, &stop), 1);
        assert_eq!(rests_while(true, &stop), RESTS);
        stop.ask();
        assert_eq!(rests_while(true, &stop), 1);
    }
}
