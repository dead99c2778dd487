//! Reading a source from its first record to the last sound one, and noting all that is wrong on the way.

use std::convert::Infallible;

use tagstone_schema::{Head, Record, Seq, Timestamp};

use super::{DurableEnd, Source};
use crate::audit::{Derived, Unfolded};
use crate::fold::{Effect, IllegalEvent, State};
use crate::log::Ahead;
use crate::log::chain::{Broken, BrokenWhy, Chain};

/// What came of replaying a source.
#[derive(Debug, Default)]
pub struct Replay {
    /// The last record that is believed: it and all before it are sound and, in a whole log, legal.
    pub head: Head,
    /// The last record whose bytes and place in the chain are sound. It is `head`, unless an event was illegal.
    pub chain_head: Head,
    /// The time of the first record.
    pub begin: Option<Timestamp>,
    /// How many records are believed.
    pub records: u64,
    /// How many events they hold.
    pub events: u64,
    /// The state behind `head`.
    pub state: State,
    /// What is wrong, in the order of the records.
    pub problems: Vec<Problem>,
    /// The record that the first one follows, where the source is only a part of a log. There is no state then.
    pub continues: Option<Head>,
    /// What is worth knowing, and proves nothing wrong.
    pub notes: Vec<String>,
}

impl Replay {
    /// Whether something is wrong with the log itself, and not only with what lies beside it.
    pub fn is_damaged(&self) -> bool {
        self.problems.iter().any(|problem| problem.concerns == Concerns::Log)
    }
}

/// Something that is wrong with a log, or with what lies beside it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The first record that it concerns: the damaged one, the illegal one, or the first that is missing.
    pub seq: Seq,
    /// What is wrong.
    pub what: String,
    /// What it is wrong with. A report of the JSON form says it in words alone.
    #[serde(skip)]
    pub concerns: Concerns,
}

/// What a problem is a problem of: whoever reads that something is wrong wants to know whether history can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// The log itself: its records, its chain, its end, the legality of its events.
    Log,
    /// The snapshot of the state beside it.
    Snapshot,
    /// The bytes of a blob or a manifest that the log promises.
    Content,
}

impl Problem {
    /// Something that is wrong with the log itself.
    pub fn of_log(seq: Seq, what: String) -> Self {
        Self { seq, what, concerns: Concerns::Log }
    }
}

/// A source that was not read to its end, for a reason that says nothing about its log.
#[derive(Debug, thiserror::Error)]
#[error("the log was not read to its end, so nothing can be said about it: {0}")]
pub struct Unread(String);

/// A place between two records, as the replay passes it.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The record behind which the place is; the empty head before the first.
    pub head: Head,
    /// The state there; none behind an illegal event.
    pub state: Option<&'a State>,
    /// The record that follows; none at the end of what is sound.
    pub next: Option<&'a Record>,
    /// Its stored bytes.
    pub bytes: &'a [u8],
}

/// Whoever wants to know what happened in a log, and not only what came of it. The methods are called in this order for
/// every record that is legal; what is told of an illegal one ends where it became illegal.
pub trait Witness {
    /// A place of the log is passed.
    fn passes(&mut self, _step: &Step<'_>) {}

    /// The event at a place of the record, as it is written, did this. It is in the middle of doing so, so no state can be
    /// asked.
    fn sees(&mut self, _event: usize, _effect: &Effect<'_>) {}

    /// A record was applied whole, and led to this state.
    fn learns(&mut self, _record: &Unfolded, _state: &State) {}
}

/// Who only looks at the places between records.
struct Onlooker<'a>(&'a mut dyn FnMut(Step<'_>));

impl Witness for Onlooker<'_> {
    fn passes(&mut self, step: &Step<'_>) {
        (self.0)(*step);
    }
}

/// Replays a source. `watch` sees every place of the log in order, the one before the first record and the last one too.
pub fn replay(source: &dyn Source, watch: &mut dyn FnMut(Step<'_>)) -> Result<Replay, Unread> {
    replay_before(source, &mut Onlooker(watch))
}

/// Replays a source before a witness.
///
/// A record that is not whole, or does not continue the chain, ends the replay. It is a problem where the log is known
/// to have reached that far. Behind the durable end it is a note: nobody was ever told of such a record, and a start of
/// the registry cuts it off. An illegal event ends the fold, while the chain is verified on.
///
/// An error is no finding: a witness was told of a part of the log then, and nobody can tell which.
pub fn replay_before(source: &dyn Source, witness: &mut impl Witness) -> Result<Replay, Unread> {
    let begin = source.begins_behind();
    let mut seen = Replay { head: begin, chain_head: begin, state: State::alone(), ..Replay::default() };
    let mut fold = if begin.seq == 0 { Fold::Legal } else { Fold::Blind };
    let mut ahead = Ahead::of(source.records(begin.seq.saturating_add(1)), begin).with_end(source.durable_end().head());
    let Ok(()) = ahead.each(|verified| {
        if let Fold::Legal = fold {
            seen.state.foresee(verified.iter().map(|sound| &sound.record));
        }
        for sound in verified {
            check_against_end(&sound.before, source.durable_end(), &mut seen.problems);
            let (state, next) = (fold.believed(&seen.state), Some(&sound.record));
            witness.passes(&Step { head: sound.before, state, next, bytes: &sound.bytes });
            seen.begin.get_or_insert(sound.record.time);
            let events = sound.record.events.len() as u64;
            if let Fold::Legal = fold
                && let Err(error) = applied(&mut seen.state, sound.record, witness)
            {
                fold = Fold::Illegal(error);
            }
            if !matches!(fold, Fold::Illegal(_)) {
                seen.head = sound.head;
                seen.records += 1;
                seen.events += events;
            }
        }
        Ok::<(), Infallible>(())
    });
    seen.chain_head = ahead.head();
    check_against_end(&seen.chain_head, source.durable_end(), &mut seen.problems);
    let broken = ahead.broken();
    // What is wrong with a record that was read stays wrong, whatever could not be read behind it.
    let is_found = broken.as_ref().is_some_and(|broken| !matches!(broken.why, BrokenWhy::Unreadable(_)));
    if let Fold::Illegal(error) = &fold {
        note_illegal(source, error, &mut seen);
    }
    if let Fold::Blind = fold {
        seen.continues = Some(begin);
        seen.notes.push(format!(
            "the source begins behind record {begin}: whether what it records was legal cannot be told without the records before"
        ));
    }
    if let (Some(said), Some(log)) = (source.log(), seen.state.log())
        && said != log
    {
        let what =
            format!("the source says that it was taken from the log {said}, but its first record begins the log {log}");
        seen.problems.push(Problem::of_log(1, what));
    }
    if let Some((seq, what)) = source.damage() {
        // What was read all the same is no problem.
        seen.problems.push(Problem::of_log(seq.max(seen.chain_head.seq.saturating_add(1)), what));
    }
    note_end(source.durable_end(), broken, &mut seen);
    seen.problems.sort_by_key(|problem| problem.seq);
    witness.passes(&Step { head: seen.chain_head, state: fold.believed(&seen.state), next: None, bytes: &[] });
    source.unread().filter(|_| !is_found).map_or(Ok(seen), |why| Err(Unread(why)))
}

fn applied(state: &mut State, record: Record, witness: &mut impl Witness) -> Result<(), IllegalEvent> {
    let mut derived = Derived::default();
    state.apply_observed(&record, |event, effect| {
        derived.note(event, &effect);
        witness.sees(event, &effect);
    })?;
    witness.learns(&Unfolded { record, derived }, state);
    Ok(())
}

/// How far the events can be judged.
enum Fold {
    /// Up to here they are legal.
    Legal,
    /// One was not.
    Illegal(IllegalEvent),
    /// The beginning is missing, so there is no state to judge them by.
    Blind,
}

impl Fold {
    fn believed<'a>(&self, state: &'a State) -> Option<&'a State> {
        matches!(self, Self::Legal).then_some(state)
    }
}

fn check_against_end(head: &Head, end: &DurableEnd, problems: &mut Vec<Problem>) {
    let (named, what) = match end {
        DurableEnd::Known(anchor) => (anchor, "the anchor"),
        DurableEnd::Exact { head, said_by } => (head, *said_by),
        DurableEnd::Lost(_) => return,
    };
    if named.seq == head.seq && named.hash != head.hash {
        let together = what.trim_start_matches("the ");
        let what = format!(
            "record {} has the hash {}, but {what} names {}: log and {together} do not belong together",
            head.seq, head.hash, named.hash
        );
        problems.push(Problem::of_log(head.seq, what));
    }
}

fn note_illegal(source: &dyn Source, error: &IllegalEvent, seen: &mut Replay) {
    // The record's earlier events are in the state by now, so the state before it is folded afresh.
    seen.state = state_before(source, error.seq);
    let what = format!("{error}. The state and its fingerprint are those before this record");
    seen.problems.push(Problem::of_log(error.seq, what));
}

fn note_end(end: &DurableEnd, broken: Option<Broken>, seen: &mut Replay) {
    let first_unsound = seen.chain_head.seq.saturating_add(1);
    match (end, broken) {
        (DurableEnd::Known(anchor), Some(broken)) if seen.chain_head.seq >= anchor.seq => {
            seen.notes.push(format!(
                "behind the anchor, {broken}. It was never acknowledged; a start of the registry cuts it off"
            ));
        }
        (_, Some(broken)) => {
            let what = format!("{}. Nothing behind record {} is believed", broken.why, seen.chain_head.seq);
            seen.problems.push(Problem::of_log(broken.seq, what));
        }
        (DurableEnd::Known(anchor), None) if seen.chain_head.seq < anchor.seq => {
            let what = format!(
                "the log ends at record {}, but records up to {} were made durable: records {first_unsound} to {} are missing",
                seen.chain_head.seq, anchor.seq, anchor.seq
            );
            seen.problems.push(Problem::of_log(first_unsound, what));
        }
        (DurableEnd::Exact { head, said_by }, None) if seen.chain_head.seq != head.seq => {
            let what =
                format!("the log ends at record {}, but {said_by} names {} as the last", seen.chain_head.seq, head.seq);
            seen.problems.push(Problem::of_log(first_unsound, what));
        }
        _ => {}
    }
    if let DurableEnd::Lost(why) = end {
        let what = format!("{why}, so nothing shows whether records from {first_unsound} on are missing");
        seen.problems.push(Problem::of_log(first_unsound, what));
    }
}

/// The state before a record, in a source that was found sound and legal up to it.
fn state_before(source: &dyn Source, seq: Seq) -> State {
    let mut state = State::alone();
    let mut chain = Chain::default();
    for stored in source.records(1) {
        let Ok(record) = stored.map_err(drop).and_then(|stored| chain.next(&stored).map_err(drop)) else { break };
        if record.seq == seq || state.apply(&record).is_err() {
            break;
        }
    }
    state
}
