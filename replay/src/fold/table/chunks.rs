//! Items side by side, in chunks: none is moved when there are more, and room for the next ones is asked for in pieces that an
//! allocator gives at once.

#[derive(Clone)]
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
}

/// About the bytes of a chunk.
const BYTES: usize = 1 << 20;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    /// Items of a chunk: a power of two, by which it is quick to divide.
    const ITEMS: usize = 1 << (BYTES / (size_of::<T>() + 1)).ilog2();

    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * Self::ITEMS + last.len())
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / Self::ITEMS)?.get(place % Self::ITEMS)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.chunks.get_mut(place / Self::ITEMS)?.get_mut(place % Self::ITEMS)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < Self::ITEMS => last.push(item),
            // The first one grows as it must: many have only a few items.
            None => self.chunks.push(vec![item]),
            Some(_) => {
                let mut next = Vec::with_capacity(Self::ITEMS);
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

impl<T> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut chunks = Self::default();
        items.into_iter().for_each(|item| chunks.push(item));
        chunks
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
        let many = Chunks::<[u8; 4096]>::ITEMS * 3 + 5;
        let mut chunks: Chunks<[u8; 4096]> = Chunks::default();
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
