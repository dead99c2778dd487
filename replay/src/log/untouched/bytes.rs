//! Numbers and bytes as sled writes them, read from a slice.

/// What was not read yet. Nothing is read where the bytes do not suffice.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number of varying length: those of SQLite 4, but for little endian.
    pub(super) fn number(&mut self) -> Option<u64> {
        Some(match self.byte()? {
            small @ ..=240 => u64::from(small),
            more @ 241..=248 => 240 + 256 * (u64::from(more) - 241) + u64::from(self.byte()?),
            249 => 2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?),
            long => {
                let mut number = [0; 8];
                number[..usize::from(long) - 247].copy_from_slice(self.take(usize::from(long) - 247)?);
                u64::from_le_bytes(number)
            }
        })
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_and_short_ones_are_none() {
        let cases: [(&[u8], u64); 9] = [
            (&[0], 0),
            (&[240], 240),
            (&[241, 1], 241),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67823),
            (&[250, 1, 2, 3], 0x0003_0201),
            (&[253, 1, 0, 0, 0, 0, 9], 0x0900_0000_0001),
            (&[255; 9], u64::MAX),
        ];
        for (written, number) in cases {
            let mut bytes = Bytes(written);
            assert_eq!((bytes.number(), bytes.is_empty()), (Some(number), true));
            assert_eq!(Bytes(&written[..written.len() - 1]).number(), None, "{number}");
        }
        assert_eq!(Bytes(&[3, 1, 2, 3, 4]).bytes(), Some(&[1, 2, 3][..]));
        assert_eq!(Bytes(&[4, 1, 2, 3]).bytes(), None);
    }
}
