//! Comparing answers, and telling a difference shortly.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::year::SEED;

/// What was told is what was expected.
#[track_caller]
pub(crate) fn assert_same(question: &str, told: &Value, expected: &Value) {
    tell(question, difference(told, expected, Beyond::Nothing));
}

/// What was told is what was expected, where something was; null says that nothing may be told.
#[track_caller]
pub(crate) fn assert_within(question: &str, told: &Value, expected: &Value) {
    tell(question, difference(told, expected, Beyond::Anything));
}

/// The same entries were told, in whatever order.
#[track_caller]
pub(crate) fn assert_same_set(question: &str, told: &[Value], expected: &[Value]) {
    let texts = |of: &[Value]| of.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    let (told_all, expected_all) = (texts(told), texts(expected));
    let only = |of: &BTreeSet<String>, not: &BTreeSet<String>| of.difference(not).next().cloned();
    let told_only = only(&told_all, &expected_all).unwrap_or_else(|| format!("{} entries", told.len()));
    let expected_only = only(&expected_all, &told_all).unwrap_or_else(|| format!("{} entries", expected.len()));
    let differs = told_all != expected_all || told.len() != expected.len();
    let at = " (what only one of both has)".to_owned();
    tell(question, differs.then_some(Difference { at, told: told_only, expected: expected_only }));
}

#[track_caller]
fn tell(question: &str, difference: Option<Difference>) {
    let Some(Difference { at, told, expected }) = difference else { return };
    panic!("seed {SEED}, {question}\n     at {at}\n   told {told:.600}\naccount {expected:.600}");
}

/// What an object may tell beyond what was expected.
#[derive(Clone, Copy, PartialEq)]
enum Beyond {
    Nothing,
    Anything,
}

struct Difference {
    at: String,
    told: String,
    expected: String,
}

/// The first place at which two answers differ.
fn difference(told: &Value, expected: &Value, beyond: Beyond) -> Option<Difference> {
    let here =
        |name: String, inner: Option<Difference>| inner.map(|inner| Difference { at: name + &inner.at, ..inner });
    match (told, expected) {
        (Value::Object(told), Value::Object(expected)) => {
            let more = told.keys().filter(|_| beyond == Beyond::Nothing);
            let mut keys: Vec<_> = expected.keys().chain(more).collect();
            keys.sort();
            keys.dedup();
            let of = |of: &serde_json::Map<String, Value>, key: &String| of.get(key).cloned().unwrap_or_default();
            keys.into_iter()
                .find_map(|key| here(format!(".{key}"), difference(&of(told, key), &of(expected, key), beyond)))
        }
        (Value::Array(told), Value::Array(expected)) => {
            let pairs = told.iter().zip(expected).enumerate();
            let mut pairs =
                pairs.map(|(at, (told, expected))| here(format!("[{at}]"), difference(told, expected, beyond)));
            let lengths = || {
                let shorter = told.len().min(expected.len());
                let next =
                    |of: &[Value]| format!("{} entries, next {}", of.len(), of.get(shorter).unwrap_or(&Value::Null));
                let lengths = Difference { at: " (length)".to_owned(), told: next(told), expected: next(expected) };
                (told.len() != expected.len()).then_some(lengths)
            };
            pairs.find_map(|difference| difference).or_else(lengths)
        }
        _ if told == expected => None,
        _ => Some(Difference { at: String::new(), told: told.to_string(), expected: expected.to_string() }),
    }
}
