//! What was asked for and what was answered, and so which values are right after a crash.
//!
//! Each blob, manifest and tag is a register: its value is a digest, or nothing. Requests are attempts to write it. After a
//! crash a register may hold what an acknowledged attempt wrote unless another acknowledged one *began* after that one was
//! answered; and it may hold what an attempt wrote that was in flight when the server died. Nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that a repository holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A blob by its digest; its value is that digest, or nothing.
    Blob(&'static str, String),
    /// A manifest by its digest; its value is that digest, or nothing.
    Manifest(&'static str, String),
    /// A tag by its name; its value is the digest that it points to, or nothing.
    Tag(&'static str, String),
}

/// What a register holds: a digest, or nothing.
pub(crate) type Value = Option<String>;

/// One request to write one register.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) value: Value,
    pub(crate) begun: u64,
    /// When the 2xx arrived; nothing if the server died first.
    pub(crate) answered: Option<u64>,
}

/// An order of moments in all threads: what ended before another thing began has the smaller number.
#[derive(Default)]
pub(crate) struct Moments {
    next: AtomicU64,
    acknowledged: AtomicU64,
}

impl Moments {
    /// A moment after all that were taken before.
    pub(crate) fn now(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    /// The moment of an acknowledgement, which is counted.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.now()
    }

    /// How many acknowledgements there have been.
    pub(crate) fn acknowledgements(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// All registers that were ever written, each with its attempts.
#[derive(Default)]
pub(crate) struct History {
    registers: BTreeMap<Key, Vec<Attempt>>,
}

impl History {
    /// Adds what one client has done.
    pub(crate) fn extend(&mut self, attempts: impl IntoIterator<Item = (Key, Attempt)>) {
        for (key, attempt) in attempts {
            self.registers.entry(key).or_default().push(attempt);
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.registers.keys()
    }

    /// Checks what a register was found to hold, and takes it for its value from now on: what a client has read cannot change
    /// by itself, whichever of the possible values it was.
    pub(crate) fn observe(&mut self, key: &Key, value: Value, at: u64) -> Result<(), Violation> {
        let attempts = self.registers.get_mut(key).expect("a register of this history");
        if !admits(attempts, &value) {
            return Err(Violation { key: key.clone(), found: value, attempts: attempts.clone() });
        }
        *attempts = vec![Attempt { value, begun: at, answered: Some(at) }];
        Ok(())
    }

    /// The tags of a repository that a list has to show, if everything has just been observed.
    pub(crate) fn standing_tags(&self, repository: &str) -> Vec<String> {
        let standing = |(key, attempts): (&Key, &Vec<Attempt>)| match key {
            Key::Tag(of, tag) if *of == repository && attempts.iter().all(|it| it.value.is_some()) => Some(tag.clone()),
            _ => None,
        };
        self.registers.iter().filter_map(standing).collect()
    }
}

/// A register was never written before its first attempt, and so could hold nothing until that was acknowledged.
fn admits(attempts: &[Attempt], value: &Value) -> bool {
    let superseded = |answered: u64| attempts.iter().any(|later| later.answered.is_some() && later.begun > answered);
    let untouched = value.is_none() && attempts.iter().all(|attempt| attempt.answered.is_none());
    let explains = |attempt: &Attempt| attempt.value == *value && !attempt.answered.is_some_and(superseded);
    // An observation of an earlier round is an acknowledged attempt, so that only a new register is untouched.
    untouched || attempts.iter().any(explains)
}

/// A register holds what no request explains.
pub(crate) struct Violation {
    key: Key,
    found: Value,
    attempts: Vec<Attempt>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} holds {:?}, which none of these explains:", self.key, self.found)?;
        for Attempt { value, begun, answered } in &self.attempts {
            writeln!(f, "  {value:?}, begun at {begun}, answered at {answered:?}")?;
        }
        Ok(())
    }
}

#[test]
fn a_history_admits_what_its_requests_explain_and_nothing_else() {
    let (one, two) = (Some("one".to_owned()), Some("two".to_owned()));
    let attempt = |value: &Value, begun, answered| Attempt { value: value.clone(), begun, answered };
    let cases = [
        ("lost only", vec![attempt(&one, 1, None)], vec![&None, &one]),
        ("acknowledged", vec![attempt(&one, 1, Some(2))], vec![&one]),
        ("one after the other", vec![attempt(&one, 1, Some(2)), attempt(&two, 3, Some(4))], vec![&two]),
        ("beside each other", vec![attempt(&one, 1, Some(3)), attempt(&two, 2, Some(4))], vec![&one, &two]),
        ("in flight at the end", vec![attempt(&one, 1, Some(2)), attempt(&two, 3, None)], vec![&one, &two]),
        ("in flight all along", vec![attempt(&one, 1, None), attempt(&two, 2, Some(3))], vec![&one, &two]),
        ("deleted", vec![attempt(&one, 1, Some(2)), attempt(&None, 3, Some(4))], vec![&None]),
        ("perhaps deleted", vec![attempt(&one, 1, Some(2)), attempt(&None, 3, None)], vec![&None, &one]),
    ];
    for (name, attempts, right) in cases {
        for value in [&None, &one, &two] {
            assert_eq!(admits(&attempts, value), right.contains(&value), "{name}: {value:?}");
        }
    }
}
