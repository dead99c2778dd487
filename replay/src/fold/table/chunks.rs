//! Items side by side, in chunks: none is moved when there are more, and room for the next ones is asked for in pieces that an
//! allocator gives at once.

#[derive(Clone)]
pub(super) struct Chunks<T> {
    full: Vec<Vec<T>>,
    /// The last one, to which is added. It lies beside what it belongs to, since most have no other.
    last: Vec<T>,
    /// A chunk has two to the power of this many items, by which it is quick to divide.
    bits: u32,
}

/// About the bytes of a chunk.
const BYTES: usize = 1 << 20;

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { full: Vec::new(), last: Vec::new(), bits: Self::BITS }
    }
}

impl<T> Chunks<T> {
    const BITS: u32 = (BYTES / (size_of::<T>() + 1)).ilog2();

    /// Chunks of at least so many items.
    pub(super) fn of_at_least(items: usize) -> Self {
        Self { bits: items.next_power_of_two().ilog2(), ..Self::default() }
    }

    /// Items of a chunk.
    pub(super) fn items(&self) -> usize {
        1 << self.bits
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.full.len() << self.bits) + self.last.len()
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        let (chunk, within) = (place >> self.bits, place & (self.items() - 1));
        match self.full.get(chunk) {
            Some(full) => full.get(within),
            None => self.last.get(within).filter(|_| chunk == self.full.len()),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (chunk, within) = (place >> self.bits, place & (self.items() - 1));
        let is_last = chunk == self.full.len();
        match self.full.get_mut(chunk) {
            Some(full) => full.get_mut(within),
            None => self.last.get_mut(within).filter(|_| is_last),
        }
    }

    /// The last item.
    pub(super) fn last(&self) -> Option<&T> {
        self.last.last().or_else(|| self.full.last()?.last())
    }

    /// The chunks: all but the last are full.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[T]> {
        self.full.iter().chain([&self.last]).map(|chunk| &chunk[..])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full.iter().flatten().chain(&self.last)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.full.iter_mut().flatten().chain(&mut self.last)
    }

    /// The chunks themselves: all but the last are full, and none is empty.
    pub(super) fn into_chunks(self) -> impl Iterator<Item = Vec<T>> {
        self.full.into_iter().chain((!self.last.is_empty()).then_some(self.last))
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        if self.last.len() == self.items() {
            self.begin();
        }
        self.last.push(item);
    }

    /// Adds items that were put together elsewhere: a chunk of their own where there is none to be filled.
    pub(super) fn append(&mut self, items: Vec<T>) {
        let is_full = self.last.len() == self.items();
        if items.len() > self.items() || !(is_full || self.last.is_empty()) {
            items.into_iter().for_each(|item| self.push(item));
            return;
        }
        let filled = std::mem::replace(&mut self.last, items);
        self.full.extend(is_full.then_some(filled));
    }

    /// The last chunk is full. The next one has its room at once; the first grew as it had to, since many have only a few items.
    #[cold]
    fn begin(&mut self) {
        let next = Vec::with_capacity(self.items());
        self.full.push(std::mem::replace(&mut self.last, next));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        if self.last.is_empty() {
            self.last = self.full.pop()?;
        }
        self.last.pop()
    }
}

impl<T> IntoIterator for Chunks<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::iter::Flatten<std::vec::IntoIter<Vec<T>>>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.full.into_iter().flatten().chain(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_follows() {
        for lengths in [vec![], vec![0], vec![8, 8, 3], vec![3, 8, 8], vec![8, 0, 8], vec![8, 20, 8], vec![1, 7, 8, 8]]
        {
            let mut chunks = Chunks::of_at_least(8);
            let mut next = 0..;
            for length in &lengths {
                chunks.append(next.by_ref().take(*length).collect());
            }
            chunks.push(1_000);
            let count = lengths.iter().sum::<usize>();
            assert!(chunks.iter().copied().eq((0..i32::try_from(count).unwrap()).chain([1_000])), "{lengths:?}");
            assert_eq!((chunks.len(), chunks.get(count)), (count + 1, Some(&1_000)));
            assert!(chunks.into_chunks().all(|chunk| (1..=8).contains(&chunk.len())));
        }
    }

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
        let chunk = chunks.items();
        for beyond in [many, many + chunk - 1, many + chunk, many + 3 * chunk] {
            assert!(chunks.get(beyond).is_none() && chunks.get_mut(beyond).is_none(), "{beyond}");
        }
        for left in (0..many).rev() {
            let last = chunks.last().map(number);
            assert_eq!((chunks.pop().map(|item| number(&item)), last), (last, Some(u8::try_from(left % 251).unwrap())));
            assert_eq!(chunks.len(), left);
        }
        assert_eq!(chunks.pop(), None);
    }
}
