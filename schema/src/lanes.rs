//! BLAKE3 of several records at once.
//!
//! Nearly every record is shorter than a chunk of BLAKE3 (1 KiB), and within a chunk each block has to wait for the one before it, so
//! that a processor hashes a single record with most of its units idle. Eight records of about the same length, one in each lane of
//! a vector of AVX2, take about three times as long as one; where vectors have half the width, four take twice as long. Which vectors
//! there are is asked of the processor. What is longer than a chunk is left to the crate.
//!
//! The names are those of the BLAKE3 paper, section 2 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020).

use std::array::from_fn;

use fearless_simd::{Level, Simd, SimdBase, SimdInt, dispatch, u32x4, u32x8};

/// Bytes of a block, and of the only chunk of what is hashed here.
const BLOCK_BYTES: u32 = 64;
const BLOCK: usize = BLOCK_BYTES as usize;
const CHUNK: usize = 1024;

/// What each state begins with: that of SHA-256.
const IV: [u32; 8] =
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19];

/// Flags of a block: the first of its chunk, the last, and that of the root of the tree, which here is the chunk.
const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 1 << 1;
const ROOT: u32 = 1 << 3;

/// The order of the words of a message in each round: each is the one before, permuted.
const SCHEDULE: [[usize; 16]; 7] = {
    let permutation = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut schedule = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]; 7];
    let mut round = 1;
    while round < 7 {
        let mut word = 0;
        while word < 16 {
            schedule[round][word] = schedule[round - 1][permutation[word]];
            word += 1;
        }
        round += 1;
    }
    schedule
};

/// The hash of each.
pub(crate) fn hashes(messages: &[&[u8]]) -> Vec<[u8; 32]> {
    hashes_with(Level::new(), messages)
}

fn hashes_with(level: Level, messages: &[&[u8]]) -> Vec<[u8; 32]> {
    let mut hashes = vec![[0; 32]; messages.len()];
    let (mut short, mut alone): (Vec<_>, Vec<_>) = (0..messages.len()).partition(|at| messages[*at].len() <= CHUNK);
    // Lanes take as long as the longest of them.
    short.sort_unstable_by_key(|at| blocks(messages[*at]));
    dispatch!(level, simd => alone.extend(in_groups(simd, messages, &short, &mut hashes)));
    for at in alone {
        hashes[at] = *blake3::hash(messages[at]).as_bytes();
    }
    hashes
}

/// Hashes messages that follow each other by length, and tells those that were too few for a group.
#[inline(always)]
fn in_groups<'a, S: Simd>(simd: S, messages: &[&[u8]], short: &'a [usize], hashes: &mut [[u8; 32]]) -> &'a [usize] {
    let (eights, rest): (&[[usize; 8]], _) = if S::u32s::LEN >= 8 { short.as_chunks() } else { (&[], short) };
    let (fours, rest) = rest.as_chunks();
    for group in eights {
        note(hashes, group, together::<S, u32x8<S>, 8>(simd, group.map(|at| messages[at])));
    }
    for group in fours {
        note(hashes, group, together::<S, u32x4<S>, 4>(simd, group.map(|at| messages[at])));
    }
    rest
}

fn note<const LANES: usize>(hashes: &mut [[u8; 32]], group: &[usize; LANES], of_group: [[u8; 32]; LANES]) {
    group.iter().zip(of_group).for_each(|(at, hash)| hashes[*at] = hash);
}

/// Blocks of a message; the empty one has a block too.
fn blocks(message: &[u8]) -> usize {
    message.len().div_ceil(BLOCK).max(1)
}

/// The hashes of messages, none longer than a chunk, each in a lane of its own.
#[inline(always)]
fn together<S: Simd, W: SimdInt<S, Element = u32>, const LANES: usize>(
    simd: S,
    messages: [&[u8]; LANES],
) -> [[u8; 32]; LANES] {
    let (wholes, counts) = (messages.map(|message| message.as_chunks::<BLOCK>().0), messages.map(blocks));
    let lasts: [_; LANES] = from_fn(|lane| padded(&messages[lane][(counts[lane] - 1) * BLOCK..]));
    let [shortest, longest] = [counts.into_iter().min(), counts.into_iter().max()].map(Option::unwrap_or_default);
    let mut chaining = IV.map(|word| W::splat(simd, word));
    let mut hashes = [[0; 32]; LANES];
    for block in 0..longest {
        let start = if block == 0 { CHUNK_START } else { 0 };
        // A lane that is through goes on with anything.
        let blocks: [&[u8; BLOCK]; LANES] = from_fn(|lane| wholes[lane].get(block).unwrap_or(&lasts[lane]));
        // Nothing more is asked of the blocks before the first that is the last of a lane.
        let may_end = block + 1 >= shortest;
        let is_last = if may_end { counts.map(|count| count == block + 1) } else { [false; LANES] };
        let (mut lengths, mut flags) = (W::splat(simd, BLOCK_BYTES), W::splat(simd, start));
        if may_end {
            let length = |lane: usize| u32::try_from(messages[lane].len() - block * BLOCK).unwrap_or(0);
            let of_lanes: [_; LANES] = from_fn(|lane| if is_last[lane] { length(lane) } else { BLOCK_BYTES });
            lengths = W::from_slice(simd, &of_lanes);
            flags = W::from_slice(simd, &is_last.map(|is_last| if is_last { start | CHUNK_END | ROOT } else { start }));
        }
        compress(simd, &mut chaining, &transposed(simd, blocks), lengths, flags);
        for lane in (0..LANES).filter(|lane| may_end && is_last[*lane]) {
            let (bytes, _) = hashes[lane].as_chunks_mut();
            bytes.iter_mut().zip(&chaining).for_each(|(bytes, word)| *bytes = word.as_slice()[lane].to_le_bytes());
        }
    }
    hashes
}

/// What is left of a message, and zeroes behind it.
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if let Some(begin) = block.get_mut(..rest.len()) {
        begin.copy_from_slice(rest);
    }
    block
}

/// The words of a block of each lane: each with the same word of the others.
#[inline(always)]
fn transposed<S: Simd, W: SimdInt<S, Element = u32>, const LANES: usize>(
    simd: S,
    blocks: [&[u8; BLOCK]; LANES],
) -> [W; 16] {
    let mut words = [W::splat(simd, 0); 16];
    for (at, part) in words.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        for (row, block) in part.iter_mut().zip(blocks) {
            let (of_block, _) = block[at * LANES * 4..].as_chunks();
            *row = W::from_slice(simd, &from_fn::<_, LANES, _>(|word| u32::from_le_bytes(of_block[word])));
        }
        // What each row has at a place moves to the row of that number in as many shuffles of all rows as a place has bits.
        for _ in 0..LANES.ilog2() {
            let before = *part;
            for (row, next) in part.as_chunks_mut().0.iter_mut().enumerate() {
                let (one, other) = (before[row], before[row + LANES / 2]);
                *next = [one.zip_low(other), one.zip_high(other)];
            }
        }
    }
    words
}

/// Compresses one block of each lane. The counter of chunks is 0.
#[inline(always)]
fn compress<S: Simd, W: SimdInt<S, Element = u32>>(
    simd: S,
    chaining: &mut [W; 8],
    message: &[W; 16],
    lengths: W,
    flags: W,
) {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = *chaining;
    let [i0, i1, i2, i3, ..] = IV.map(|word| W::splat(simd, word));
    let zero = W::splat(simd, 0);
    let mut state = [h0, h1, h2, h3, h4, h5, h6, h7, i0, i1, i2, i3, zero, zero, lengths, flags];
    round(&mut state, message, &SCHEDULE[0]);
    round(&mut state, message, &SCHEDULE[1]);
    round(&mut state, message, &SCHEDULE[2]);
    round(&mut state, message, &SCHEDULE[3]);
    round(&mut state, message, &SCHEDULE[4]);
    round(&mut state, message, &SCHEDULE[5]);
    round(&mut state, message, &SCHEDULE[6]);
    *chaining = from_fn(|word| state[word] ^ state[word + 8]);
}

/// Mixes columns, then diagonals.
#[inline(always)]
fn round<S: Simd, W: SimdInt<S, Element = u32>>(state: &mut [W; 16], message: &[W; 16], order: &[usize; 16]) {
    let word = |at: usize| message[order[at]];
    mix(state, [0, 4, 8, 12], word(0), word(1));
    mix(state, [1, 5, 9, 13], word(2), word(3));
    mix(state, [2, 6, 10, 14], word(4), word(5));
    mix(state, [3, 7, 11, 15], word(6), word(7));
    mix(state, [0, 5, 10, 15], word(8), word(9));
    mix(state, [1, 6, 11, 12], word(10), word(11));
    mix(state, [2, 7, 8, 13], word(12), word(13));
    mix(state, [3, 4, 9, 14], word(14), word(15));
}

/// The quarter-round G.
#[inline(always)]
fn mix<S: Simd, W: SimdInt<S, Element = u32>>(state: &mut [W; 16], [a, b, c, d]: [usize; 4], x: W, y: W) {
    state[a] = state[a] + state[b] + x;
    state[d] = rotated::<16, 16, _, _>(state[d] ^ state[a]);
    state[c] += state[d];
    state[b] = rotated::<12, 20, _, _>(state[b] ^ state[c]);
    state[a] = state[a] + state[b] + y;
    state[d] = rotated::<8, 24, _, _>(state[d] ^ state[a]);
    state[c] += state[d];
    state[b] = rotated::<7, 25, _, _>(state[b] ^ state[c]);
}

/// Each word rotated to the right, and by the rest of its bits to the left.
#[inline(always)]
fn rotated<const RIGHT: u32, const LEFT: u32, S: Simd, W: SimdInt<S, Element = u32>>(words: W) -> W {
    (words >> RIGHT) | (words << LEFT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From as wide as it gets here to as narrow.
    fn levels() -> Vec<Level> {
        let level = Level::new();
        let mut levels = vec![level, Level::baseline()];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(level.as_avx2().map(|simd| simd.level()));
            levels.extend(level.as_sse4_2().map(|simd| simd.level()));
        }
        levels
    }

    fn assert_as_alone(messages: &[&[u8]]) {
        let alone: Vec<_> = messages.iter().map(|message| *blake3::hash(message).as_bytes()).collect();
        for level in levels() {
            assert_eq!(hashes_with(level, messages), alone, "{level:?}");
        }
    }

    #[test]
    fn every_length_up_to_more_than_a_chunk_has_the_hash_of_the_crate() {
        let bytes: Vec<u8> = (0..=250).cycle().take(CHUNK + 2 * BLOCK).collect();
        let messages: Vec<_> = (0..=bytes.len()).map(|length| &bytes[..length]).collect();
        assert_as_alone(&messages);
        // Alone in a group, too.
        messages.iter().for_each(|message| assert_as_alone(&[*message; 8]));
    }

    proptest! {
        #[test]
        fn messages_beside_each_other_have_the_hashes_that_each_has_alone(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..CHUNK + BLOCK), 0..40),
        ) {
            assert_as_alone(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }
}
