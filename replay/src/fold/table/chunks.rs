//! Items side by side, in chunks: none is moved when there are more, and room for the next ones is asked for in pieces that an
//! allocator gives at once.

#[derive(Clone)]
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
    /// A chunk has two to the power of this many items, by which it is quick to divide.
    bits: u32,
}

/// About the bytes of a chunk.
const BYTES: usize = 1 << 20;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), bits: Self::BITS }
    }
}

impl<T> Chunks<T> {
    const BITS: u32 = (BYTES / (size_of::<T>() + 1)).ilog2();

    /// Chunks of at least so many items.
    pub(super) fn of_at_least(items: usize) -> Self {
        Self { chunks: Vec::new(), bits: items.next_power_of_two().ilog2() }
    }

    /// Items of a chunk.
    pub(super) fn items(&self) -> usize {
        1 << self.bits
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * self.items() + last.len())
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place >> self.bits)?.get(place & (self.items() - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let within = place & (self.items() - 1);
        self.chunks.get_mut(place >> self.bits)?.get_mut(within)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }

    /// The chunks themselves: all but the last are full.
    pub(super) fn into_chunks(self) -> Vec<Vec<T>> {
        self.chunks
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        let items = self.items();
        match self.chunks.last_mut() {
            Some(last) if last.len() < items => last.push(item),
            // The first one grows as it must: many have only a few items.
            None => self.chunks.push(vec![item]),
            Some(_) => {
                let mut next = Vec::with_capacity(items);
                next.push(item);
                self.chunks.push(next);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.chunks.last_mut()?;
        let item = last.pop();
        if last.is_empty() {
            self.chunks.pop();
        }
        item
    }
}

impl<T> IntoIterator for Chunks<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        for chunks in [Chunks::default(), Chunks::of_at_least(8)] {
            stay(chunks);
        }
    }

    fn stay(mut chunks: Chunks<[u8; 4096]>) {
        let many = chunks.items() * 3 + 5;
        for number in 0..many {
            assert_eq!(chunks.len(), number);
            chunks.push([u8::try_from(number % 251).unwrap(); 4096]);
        }
        let number = |item: &[u8; 4096]| item[0];
        assert!((0..many).all(|place| number(chunks.get(place).unwrap()) == u8::try_from(place % 251).unwrap()));
        assert!(chunks.iter().map(number).eq((0..many).map(|place| u8::try_from(place % 251).unwrap())));
        assert!(chunks.get(many).is_none());
        for left in (0..many).rev() {
            assert_eq!(chunks.pop().map(|item| number(&item)), Some(u8::try_from(left % 251).unwrap()));
            assert_eq!(chunks.len(), left);
        }
        assert_eq!(chunks.pop(), None);
    }
}
