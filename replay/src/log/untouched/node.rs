//! A page of a table: keys between two bounds, with values or with further pages.

use std::num::NonZeroU64;

use super::bytes::Bytes;

/// A node of a table, of which nobody has a change left to make. Keys stand without the prefix that all of them have in common.
pub(super) struct Node<'a> {
    prefix: &'a [u8],
    pub(super) low: &'a [u8],
    /// Nothing of the node reaches to here; empty where it has no end.
    pub(super) high: &'a [u8],
    pub(super) entries: Entries<'a>,
}

/// What stands in a node, in order of keys.
pub(super) enum Entries<'a> {
    Values(Vec<(&'a [u8], &'a [u8])>),
    Pages(Vec<(&'a [u8], u64)>),
}

impl<'a> Node<'a> {
    /// A node as it was written once. None if it is being merged with another, or is none.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        let mut rest = Bytes(body);
        let (_next, merging_child) = (NonZeroU64::new(rest.number()?), NonZeroU64::new(rest.number()?));
        let is_merging = rest.byte()? != 0;
        let prefix = usize::from(rest.byte()?);
        let (low, high) = (rest.bytes()?, rest.bytes()?);
        let kind = rest.byte()?;
        // Nothing is set aside for a number that may be wrong.
        let count = usize::try_from(rest.number()?).ok().filter(|count| *count <= body.len())?;
        let keys: Vec<_> = (0..count).map(|_| rest.bytes()).collect::<Option<_>>()?;
        let entries = match kind {
            0 => Entries::Values(keys.into_iter().map(|key| Some((key, rest.bytes()?))).collect::<Option<_>>()?),
            1 => Entries::Pages(keys.into_iter().map(|key| Some((key, rest.number()?))).collect::<Option<_>>()?),
            _ => return None,
        };
        let is_settled = merging_child.is_none() && !is_merging && rest.is_empty();
        let node = Self { prefix: low.get(..prefix)?, low, high, entries };
        (is_settled && node.is_in_order()).then_some(node)
    }

    /// Applies what was changed later.
    pub(super) fn change(&mut self, body: &'a [u8]) -> Option<()> {
        let mut rest = Bytes(body);
        let Entries::Values(values) = &mut self.entries else { return None };
        let kind = rest.byte()?;
        let key = rest.bytes()?;
        let place = values.binary_search_by(|(known, _)| known.cmp(&key));
        match (kind, place) {
            (0, Ok(at)) => values[at].1 = rest.bytes()?,
            (0, Err(at)) => values.insert(at, (key, rest.bytes()?)),
            (1, Ok(at)) => {
                values.remove(at);
            }
            (1, Err(_)) => {}
            _ => return None,
        }
        rest.is_empty().then_some(())
    }

    /// A key of the node, as it is.
    pub(super) fn whole(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix, key].concat()
    }

    /// Whether its keys rise, from its lower bound to below its upper one.
    pub(super) fn is_in_order(&self) -> bool {
        match &self.entries {
            Entries::Values(values) => self.holds(values),
            Entries::Pages(pages) => self.holds(pages),
        }
    }

    fn holds<T>(&self, entries: &[(&[u8], T)]) -> bool {
        let rises = entries.is_sorted_by(|(key, _), (next, _)| key < next);
        let begins = entries.first().is_none_or(|(key, _)| *self.whole(key) >= *self.low);
        let ends = entries.last().is_none_or(|(key, _)| self.high.is_empty() || *self.whole(key) < *self.high);
        rises && begins && ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_being_merged_is_left_to_sled() {
        // Next, merging child, merging, length of the prefix, bounds, kind, keys, values.
        let settled = [0, 0, 0, 0, 0, 1, b'z', 0, 1, 1, b'a', 2, b'v', b'w'];
        let node = Node::of(&settled).unwrap();
        assert!(matches!(node.entries, Entries::Values(values) if values == [(&b"a"[..], &b"vw"[..])]));
        for place in [1, 2] {
            let mut merging = settled;
            merging[place] = 7;
            assert!(Node::of(&merging).is_none(), "{place}");
        }
    }
}
