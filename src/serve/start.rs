//! Opening a data directory: the log verified and folded, the start recorded.

use tagstone_replay::content::Layout;
use tagstone_replay::fold::snapshot::{self, SnapshotError};
use tagstone_replay::fold::{IllegalEvent, State};
use tagstone_replay::log::{AppendError, Log, OpenError, Options, Sound, UnverifiedLog, Verified, Visit};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::{EncodeError, FORMAT_VERSION};
use tagstone_schema::{Actor, Event, Head, Id, Origin, Record};

use super::{ServeError, bounded, presence};
use crate::content::{ContentStore, Settings as ContentSettings};
use crate::history::{Behind, Resume};
use crate::random_id::random_id;
use crate::registry::{Clock, Snapshot, SystemClock};
use crate::settings::Settings;

/// A registry whose log is verified and folded, and records its own start.
pub struct Opened {
    /// The log.
    pub log: Box<dyn Log>,
    /// Its fold.
    pub snapshot: Snapshot,
    /// The bytes.
    pub content: ContentStore,
    /// The index of the audit, and where its follower goes on.
    pub history: Behind,
    /// The record of the snapshot that the start began with. The records up to it were not verified.
    pub known: Head,
}

impl Opened {
    /// Opens a data directory, or makes it. The caller holds its lock.
    pub fn open(layout: &Layout, settings: &Settings) -> Result<Self, ServeError> {
        let options = Options { cache_bytes: settings.store.cache_bytes, ..Options::default() };
        // Neither needs the other, and both take long. A start that the log refuses leaves nothing behind.
        let (log, stored) = std::thread::scope(|scope| {
            let log = scope.spawn(|| UnverifiedLog::open(layout, options));
            let stored = snapshot::read(&layout.snapshot());
            (log.join(), stored)
        });
        let log = log.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let Folded { verified, mut state, resume, known } = match from_snapshot(&log, layout, stored) {
            Some(folded) => folded,
            None => fold(&log, layout, Snapshot { state: State::alone(), head: Head::default() })?,
        };
        state.share();
        let opened = log.accept(&verified)?;
        if opened.cut_off > 0 {
            tracing::warn!(records = opened.cut_off, "cut off records that were never acknowledged");
        }
        let history = resume.finish(&mut state, opened.log.head(), opened.log.reader());
        let mut log: Box<dyn Log> = Box::new(opened.log);
        let content = ContentStore::open(
            layout,
            ContentSettings {
                direct_io: settings.content.direct_io,
                small_blob_bytes: bounded(settings.content.small_blob_bytes),
            },
            settings.content.cache_bytes,
        )?;
        presence::warn_of_missing(&state, &content);
        record_start(&mut *log, &mut state, &SystemClock, settings)?;
        let head = log.head();
        let repositories = state.repository_count();
        tracing::info!(seq = head.seq, hash = %head.hash, snapshot = known.seq, repositories, "the log is open");
        Ok(Self { log, snapshot: Snapshot { state, head }, content, history, known })
    }
}

/// A log that was folded to its end.
struct Folded {
    verified: Verified,
    state: State,
    resume: Resume,
    known: Head,
}

/// Begins with the snapshot of the state, if there is one that belongs to the log. Whatever is wrong with it, the log is folded
/// from its first record instead.
fn from_snapshot(log: &UnverifiedLog, layout: &Layout, stored: Result<(State, Head), SnapshotError>) -> Option<Folded> {
    let (state, head) = match stored {
        Ok(read) => read,
        Err(SnapshotError::Missing(_)) => return None,
        Err(error) => {
            tracing::warn!(%error, "the log is folded from its first record");
            return None;
        }
    };
    if !log.holds(&head) {
        tracing::warn!(%head, "the snapshot is not of this log, which is folded from its first record");
        return None;
    }
    let folded = fold(log, layout, Snapshot { state, head });
    folded.inspect_err(|error| tracing::warn!(%error, "the log is folded from its first record")).ok()
}

/// Verifies and folds what the log holds behind a state.
fn fold(log: &UnverifiedLog, layout: &Layout, known: Snapshot) -> Result<Folded, OpenError> {
    let Snapshot { state, head: known } = known;
    let mut folding = Folding { state, resume: Resume::new(layout.index()) };
    let verified = log.verify_after(known, &mut folding)?;
    let Folding { state, resume } = folding;
    Ok(Folded { verified, state, resume, known })
}

/// A fold that is under way.
struct Folding {
    state: State,
    resume: Resume,
}

impl Visit for Folding {
    fn foresee(&mut self, records: &[Sound]) {
        self.state.foresee(records.iter().map(|sound| &sound.record));
    }

    fn visit(&mut self, record: &Record) -> Result<(), IllegalEvent> {
        self.resume.pass(&mut self.state, record);
        self.state.apply(record)
    }
}

/// Records that this program opened the log, and for a new one that it begins.
fn record_start(
    log: &mut dyn Log,
    state: &mut State,
    clock: &dyn Clock,
    settings: &Settings,
) -> Result<(), ServeError> {
    let head = log.head();
    let mut events = Vec::new();
    if head.seq == 0 {
        events.push(Event::LogStarted { log: fresh_id()? });
    }
    events.push(Event::ServerStarted { version: env!("CARGO_PKG_VERSION").to_owned() });
    // In the same record, so that a start that dies early does not leave a registry that never has the policy.
    if head.seq == 0 && settings.immutability.suffix_convention {
        events.push(suffix_convention(fresh_id()?));
    }
    let record = Record {
        format: FORMAT_VERSION,
        seq: head.seq + 1,
        time: clock.now().max(head.time.next()),
        prev: head.hash,
        actor: Actor::system("start"),
        origin: Origin::default(),
        events,
    };
    let encoded = record.encode().map_err(|error: EncodeError| ServeError::Record(error.to_string()))?;
    // As in the writer: what the next start would take for damage is not written.
    record.check_follows(&head).map_err(|broken| ServeError::Record(broken.to_string()))?;
    state.apply(&record).map_err(|illegal| ServeError::Record(illegal.to_string()))?;
    log.append(&head, &[encoded]).map_err(|error: AppendError| ServeError::Record(error.to_string()))
}

/// Names that end in `-immutable`, `_immutable` or `.immutable`.
const SUFFIX_CONVENTION: &str = ".*[-_.]immutable";

/// The policy that a new registry begins with. From then on it is a policy as any other, and can be retired.
fn suffix_convention(policy: Id) -> Event {
    let pattern = Pattern { regex: SUFFIX_CONVENTION.to_owned(), matches: true };
    let rule = Rule::Immutability { pattern, include_referrer_tags: false };
    Event::PolicyActivated { policy, scope: Scope::Registry, rule }
}

fn fresh_id() -> Result<Id, ServeError> {
    random_id().map_err(|error| ServeError::Record(error.to_string()))
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
