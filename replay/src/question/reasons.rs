//! Why a tag is protected, or its name spent: the answer of the registry itself, and the events that made it so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, Event, Head, Id, Timestamp};

use super::TagSubject;
use super::protections::{Protected, Protections};
use crate::audit::{AuditEvent, Found, TurnedTag, Unfolded, What};
use crate::fold::{Effect, Moment, Reason, State, Why, WhyReason};
use crate::source::{Point, PointError, Replay, StateAt, Step, Witness};

/// Asks why one tag is as it is, at one point of the log.
pub struct Reasons {
    subject: TagSubject,
    at: Option<StateAt>,
    protections: Protections,
    stood: VecDeque<Option<Moment>>,
    last_move: Option<Found>,
    last_end: Option<Found>,
    last_lock: Option<Found>,
    policies: BTreeMap<Id, Found>,
    sealed: Option<(Digest, Vec<Protected>)>,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct WhyAnswer {
    /// What the registry says.
    #[serde(flatten)]
    pub why: Why,
    /// What protected the tag at the digest that its spent name can return as. It is empty for a name that is not spent, or
    /// was erased without ever having been protected.
    pub was_protected_by: Vec<Protected>,
    /// The events behind the answer, in order.
    #[serde(serialize_with = "super::as_forms")]
    pub events: Vec<Found>,
    /// The record that the answer stands behind.
    #[serde(skip)]
    pub head: Head,
}

impl Reasons {
    /// Asks at a point, or at the end.
    pub fn of(subject: TagSubject, at: Option<StateAt>) -> Self {
        Self {
            subject,
            at,
            protections: Protections::default(),
            stood: VecDeque::new(),
            last_move: None,
            last_end: None,
            last_lock: None,
            policies: BTreeMap::new(),
            sealed: None,
        }
    }

    /// The answer, once the log was replayed. None if by that point there was neither the repository, nor the tag ever, and the name is not
    /// spent.
    pub fn answer(self, replayed: &Replay) -> Result<(Head, Option<WhyAnswer>), PointError> {
        let point = self.point();
        let (head, state) = match self.at {
            Some(at) => at.found(replayed)?,
            None => (replayed.head, replayed.state.clone()),
        };
        // The clock of the log is that of its records.
        let now = match point {
            Some(Point::Time(time)) => time,
            Some(Point::Seq(_)) | None => head.time,
        };
        let TagSubject { repository, tag } = &self.subject;
        let was_there = self.last_move.is_some();
        let known =
            state.why(repository, tag, now).or_else(|| was_there.then(|| state.why_of_any(repository, tag, now)));
        let Some(why) = known else { return Ok((head, None)) };
        let mut events = Vec::new();
        if why.digest.is_some() {
            events.extend(self.last_move);
        }
        for reason in &why.reasons {
            events.extend(match reason {
                WhyReason::Protected(Reason::Policy { policy, .. }) => self.policies.get(policy).cloned(),
                WhyReason::Protected(Reason::Lock { .. }) => self.last_lock.clone(),
                // An expired tag whose end is not recorded yet has no event.
                WhyReason::Spent { seq, .. } => self.last_end.clone().filter(|end| Some(end.place().seq) == *seq),
            });
        }
        events.sort_by_key(Found::place);
        let sealed = self.sealed.filter(|(digest, _)| why.only_digest.as_ref() == Some(digest));
        let was_protected_by = sealed.map(|(_, by)| by).unwrap_or_default();
        Ok((head, Some(WhyAnswer { why, was_protected_by, events, head })))
    }

    fn learn(&mut self, record: &Unfolded, state: &State, event: &AuditEvent<'_>) {
        let kept = || Found::at(Arc::new(record.clone()), event.index);
        if let Some(turned) = event.turned() {
            let stood = self.stood.pop_front().flatten();
            let TagSubject { repository, tag } = &self.subject;
            if turned.repository != repository || turned.tag != tag {
                return;
            }
            self.note_seal(&turned, stood, state);
            if turned.to.is_some() {
                self.last_move = Some(kept())
            } else {
                self.last_end = Some(kept())
            }
            return;
        }
        match event.what {
            What::Written { event: Event::TagLocked { repository, tag }, .. }
                if *repository == self.subject.repository && *tag == self.subject.tag =>
            {
                self.last_lock = Some(kept());
            }
            What::Written {
                event: Event::PolicyActivated { policy, .. } | Event::PolicyChanged { policy, .. },
                scope,
                ..
            } if scope.is_some_and(|scope: &Scope| scope.contains(&self.subject.repository)) => {
                self.policies.insert(*policy, kept());
            }
            _ => {}
        }
        self.protections.learn(event, state);
    }

    /// The tag leaves a digest: what protected it there?
    fn note_seal(&mut self, turned: &TurnedTag<'_>, stood: Option<Moment>, state: &State) {
        let TagSubject { repository, tag } = &self.subject;
        if let (Some(from), Some(stood)) = (turned.from, stood) {
            let mut by = self.protections.ended_since(repository, tag, stood.seq, state);
            // A tag that is erased is protected to the end.
            by.extend(self.protections.standing(repository, tag));
            if !by.is_empty() {
                self.sealed = Some((from.clone(), by));
            }
        }
        self.protections.forget(repository, tag);
    }

    fn point(&self) -> Option<Point> {
        self.at.as_ref().map(StateAt::point)
    }

    /// Whether a record is not behind the point that is asked about.
    fn concerns(&self, seq: u64, time: Timestamp) -> bool {
        match self.point() {
            None => true,
            Some(Point::Seq(last)) => seq <= last,
            Some(Point::Time(last)) => time <= last,
        }
    }
}

impl Witness for Reasons {
    fn passes(&mut self, step: &Step<'_>) {
        if let Some(at) = &mut self.at {
            at.look(step);
        }
    }

    fn sees(&mut self, _event: usize, effect: &Effect<'_>) {
        note_stood(&mut self.stood, effect);
    }

    fn learns(&mut self, record: &Unfolded, state: &State) {
        if self.concerns(record.record.seq, record.record.time) {
            record.events().for_each(|event| self.learn(record, state, &event));
        }
        self.stood.clear();
    }
}

/// Keeps since when the tags of a record stood where they stood. Effects on tags are told in the order of the events that
/// they become, one for each.
pub(super) fn note_stood(stood: &mut VecDeque<Option<Moment>>, effect: &Effect<'_>) {
    match effect {
        Effect::TagMoved { from, .. } => stood.push_back(from.map(|from| from.since)),
        Effect::TagEnded { was, .. } => stood.push_back(Some(was.since)),
        Effect::PolicyConcerned { .. } | Effect::TokenConcerned { .. } => {}
    }
}
