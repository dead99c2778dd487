//! Mutations of seeds, as fuzzers make them, from a fixed beginning.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Bytes that often mean something.
const TOKENS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\x80",
    b"\xff\xff\xff\x7f",
    b"\n",
    b"\r\n",
    b"%",
    b"%2f",
    b"%ff",
    b"/",
    b"..",
    b":",
    b"=",
    b"&",
    b",",
    b"-",
    b"\"",
    b"{",
    b"[",
    b"0",
    b"18446744073709551616",
    b"sha256:",
    b"\xf0\x9f\x90\x98",
];

/// The most bytes of a mutation.
const MOST_BYTES: usize = 128 << 10;

/// An endless sequence of mutations.
pub(crate) struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    random: StdRng,
}

impl<'a> Mutations<'a> {
    /// Mutations of these seeds; the name decides which.
    pub(crate) fn of(seeds: &'a [Vec<u8>], name: &str) -> Self {
        Self { seeds, random: StdRng::from_seed(*blake3::hash(name.as_bytes()).as_bytes()) }
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.random.random_range(0..end) }
    }

    /// A part of some bytes.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(length + 1), self.below(length + 1));
        // Most changes are small.
        let (start, end) = (a.min(b), a.max(b));
        start..if self.random.random_bool(0.7) { end.min(start + 16) } else { end }
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.random.random_range(0..8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.random.random()),
            2 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            3 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let end = (at + token.len()).min(bytes.len());
                bytes.splice(at..end, token.iter().copied());
            }
            4 => drop(bytes.drain(self.part(bytes.len()))),
            5 => {
                let part = bytes[self.part(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            6 => {
                let other = &self.seeds[self.below(self.seeds.len())];
                let part = other[self.part(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seeds[self.below(self.seeds.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes);
        }
        bytes.truncate(MOST_BYTES);
        Some(bytes)
    }
}
