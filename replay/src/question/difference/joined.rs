//! Two ordered lists, read side by side.

use std::cmp::Ordering;

/// What two lists in ascending order have under each key: on one side, or on both.
pub(super) fn joined<K: Ord, V>(
    before: impl Iterator<Item = (K, V)>,
    after: impl Iterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, Option<V>, Option<V>)> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    std::iter::from_fn(move || {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        match order {
            Ordering::Less => before.next().map(|(key, value)| (key, Some(value), None)),
            Ordering::Greater => after.next().map(|(key, value)| (key, None, Some(value))),
            Ordering::Equal => {
                let (was, is) = (before.next(), after.next());
                was.zip(is).map(|((key, was), (_, is))| (key, Some(was), Some(is)))
            }
        }
    })
}
