//! A buffer whose memory direct IO accepts.

/// What direct IO asks of memory, offset and length. Devices ask for 512 or 4,096; the larger serves both.
pub const DIRECT_ALIGNMENT: usize = 4096;

/// A byte buffer of fixed capacity that begins at a multiple of [`DIRECT_ALIGNMENT`] in memory: an aligned slice of a
/// larger allocation, which never moves.
pub struct AlignedBuffer {
    memory: Box<[u8]>,
    start: usize,
    capacity: usize,
    length: usize,
}

impl AlignedBuffer {
    /// The capacity of [`AlignedBuffer::default`]: large enough that the cost of one write hardly counts.
    pub const CAPACITY: usize = 1024 * 1024;

    /// An empty buffer for `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        let memory = vec![0; capacity + DIRECT_ALIGNMENT].into_boxed_slice();
        // The offset is less than the alignment for bytes; were it not, the buffer would merely not be aligned, and
        // writes of it not direct.
        let start = memory.as_ptr().align_offset(DIRECT_ALIGNMENT).min(DIRECT_ALIGNMENT);
        Self { memory, start, capacity, length: 0 }
    }

    /// How many more bytes it takes.
    pub fn spare(&self) -> usize {
        self.capacity - self.length
    }

    /// Takes as many bytes from the beginning of `bytes` as there is room for, and returns how many those are.
    #[must_use = "bytes for which there was no room are not taken"]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.spare());
        let at = self.start + self.length;
        self.memory[at..at + taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
        taken
    }

    /// The bytes in it.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.length == self.capacity
    }

    /// Empties it; the memory stays.
    pub fn clear(&mut self) {
        self.length = 0;
    }
}

impl Default for AlignedBuffer {
    fn default() -> Self {
        Self::new(Self::CAPACITY)
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuffer({} of {} bytes)", self.length, self.capacity)
    }
}

/// Whether a write of `bytes` at `offset` may be direct.
pub(super) fn is_aligned(bytes: &[u8], offset: u64) -> bool {
    offset.is_multiple_of(DIRECT_ALIGNMENT as u64)
        && bytes.len().is_multiple_of(DIRECT_ALIGNMENT)
        && bytes.as_ptr().align_offset(DIRECT_ALIGNMENT) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_aligned_and_no_more_than_fit() {
        for capacity in [0, 1, 4096, AlignedBuffer::CAPACITY] {
            let mut buffer = AlignedBuffer::new(capacity);
            assert_eq!(buffer.spare(), capacity);
            assert_eq!(buffer.extend_from_slice(&[7; 100]), capacity.min(100));
            assert_eq!(buffer.len(), capacity.min(100));
            assert!(buffer.as_slice().iter().all(|byte| *byte == 7));
            assert_eq!(buffer.as_slice().as_ptr().align_offset(DIRECT_ALIGNMENT), 0);
            let rest = vec![8; capacity];
            assert_eq!(buffer.extend_from_slice(&rest), capacity - capacity.min(100));
            assert!(buffer.is_full());
            buffer.clear();
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn direct_writes_need_all_three_to_be_aligned() {
        let mut buffer = AlignedBuffer::new(8192);
        assert_eq!(buffer.extend_from_slice(&[0; 8192]), 8192);
        assert!(is_aligned(buffer.as_slice(), 4096));
        assert!(!is_aligned(buffer.as_slice(), 4095));
        assert!(!is_aligned(&buffer.as_slice()[1..4097], 0));
        assert!(!is_aligned(&buffer.as_slice()[..4095], 0));
    }
}
