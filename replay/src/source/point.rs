//! A point of a log, named by a person, and the state there.

use std::str::FromStr;

use tagstone_schema::{Head, Seq, Timestamp};

use super::replay::{Replay, Step};
use crate::fold::State;

/// A point of a log: the place behind a record, or an instant. An instant stands for the last record at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Behind the record with this seq.
    Seq(Seq),
    /// At this instant.
    Time(Timestamp),
}

/// The text names no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no point of a log: write the seq of a record, or an instant as in 2026-11-01T12:00:00Z")]
pub struct PointParseError(String);

impl FromStr for Point {
    type Err = PointParseError;

    fn from_str(text: &str) -> Result<Self, PointParseError> {
        let bad = || PointParseError(text.chars().take(80).collect());
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().map(Self::Seq).map_err(|_| bad())
        } else {
            text.parse().map(Self::Time).map_err(|_| bad())
        }
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "record {seq}"),
            Self::Time(time) => time.fmt(f),
        }
    }
}

/// Why there is no state at a point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The log has no record yet.
    #[error("there is no {0}: the log has no records")]
    Empty(Point),
    /// The point is before the first record, or behind the last one.
    #[error("{point} is outside of the log, which goes from record 1 at {begin} to record {} at {}", end.seq, end.time)]
    Outside {
        /// The point.
        point: Point,
        /// The time of the first record.
        begin: Timestamp,
        /// The last record.
        end: Head,
    },
    /// The point is behind an illegal event, where no state is believed.
    #[error("there is no state at {point}: the log holds an illegal event behind record {}", end.seq)]
    Illegal {
        /// The point.
        point: Point,
        /// The last record that was legal.
        end: Head,
    },
}

/// Keeps the state at a point while a replay passes it.
pub struct StateAt {
    point: Point,
    now: Timestamp,
    found: Option<(Head, State)>,
}

impl StateAt {
    /// Will keep the state at `point`, which is asked for at this time.
    pub fn new(point: Point, now: Timestamp) -> Self {
        Self { point, now, found: None }
    }

    /// The point.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Looks at one place of the log. All are to be shown, in order.
    pub fn look(&mut self, step: &Step<'_>) {
        let is_here = match (self.point, step.next) {
            (Point::Seq(seq), _) => seq == step.head.seq,
            (Point::Time(time), Some(next)) => step.head.time <= time && time < next.time,
            // Nothing has happened since, and nobody knows what will. Where the clock was put back, the last record is ahead of it.
            (Point::Time(time), None) => step.head.time <= time && time <= self.now.max(step.head.time),
        };
        if is_here && step.head.seq > 0 {
            self.found = step.state.map(|state| (step.head, state.clone()));
        }
    }

    /// The state at the point, with the record that it stands behind.
    pub fn found(self, replay: &Replay) -> Result<(Head, State), PointError> {
        let (point, end) = (self.point, replay.chain_head);
        // What came after the part of a damaged log that is believed is lost.
        let is_lost = |head: &Head| match point {
            Point::Time(time) => head.seq == replay.head.seq && head.time < time && replay.is_damaged(),
            Point::Seq(_) => false,
        };
        match (self.found.filter(|(head, _)| !is_lost(head)), replay.begin) {
            (Some(found), _) => Ok(found),
            (None, None) => Err(PointError::Empty(point)),
            (None, Some(begin)) => {
                let inside = match point {
                    Point::Seq(seq) => (1..=end.seq).contains(&seq),
                    Point::Time(time) => begin <= time && time <= end.time,
                };
                Err(if inside {
                    PointError::Illegal { point, end: replay.head }
                } else {
                    PointError::Outside { point, begin, end }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_behind_the_last_record_is_known_up_to_the_present() {
        let head = Head { seq: 3, time: Timestamp(30), ..Head::default() };
        let (state, replay) =
            (State::default(), Replay { head, chain_head: head, begin: Some(Timestamp(10)), ..Replay::default() });
        // The point, the present, and whether there is a state.
        for (time, now, is_known) in
            [(29, 40, false), (30, 40, true), (40, 40, true), (41, 40, false), (30, 20, true), (31, 20, false)]
        {
            let mut at = StateAt::new(Point::Time(Timestamp(time)), Timestamp(now));
            at.look(&Step { head, state: Some(&state), next: None, bytes: &[] });
            let found = at.found(&replay).map(|(head, _)| head.seq).ok();
            assert_eq!(found, is_known.then_some(3), "{time} at {now}");
        }
    }
}
