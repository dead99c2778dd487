"""BLAKE3 in plain Python: unkeyed, 32 bytes of output, written after the BLAKE3 specification, section 2. It is slow."""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
COLUMNS_THEN_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
CHUNK, BLOCK, MASK = 1024, 64, 0xFFFFFFFF


def rotated(word, bits):
    return (word >> bits | word << (32 - bits)) & MASK


def compress(chaining, block, counter, flags):
    """The first half of the output: the next chaining value, eight words."""
    words = [int.from_bytes(block[at : at + 4].ljust(4, b"\0"), "little") for at in range(0, BLOCK, 4)]
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, len(block), flags]
    for _ in range(7):
        for (a, b, c, d), x, y in zip(COLUMNS_THEN_DIAGONALS, words[::2], words[1::2]):
            for word, first, second in ((x, 16, 12), (y, 8, 7)):
                v[a] = (v[a] + v[b] + word) & MASK
                v[d] = rotated(v[d] ^ v[a], first)
                v[c] = (v[c] + v[d]) & MASK
                v[b] = rotated(v[b] ^ v[c], second)
        words = [words[at] for at in PERMUTATION]
    return [v[at] ^ v[at + 8] for at in range(8)]


def chunk(data, counter, root):
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)] or [b""]
    chaining = IV
    for number, block in enumerate(blocks):
        flags = CHUNK_START if number == 0 else 0
        if number == len(blocks) - 1:
            flags |= CHUNK_END | root
        chaining = compress(chaining, block, counter, flags)
    return chaining


def tree(data, counter, root):
    """A tree whose left side is the largest power of two of whole chunks that leaves something to the right."""
    if len(data) <= CHUNK:
        return chunk(data, counter, root)
    left = 1 << ((len(data) - 1) // CHUNK).bit_length() - 1
    children = tree(data[: left * CHUNK], counter, 0) + tree(data[left * CHUNK :], counter + left, 0)
    return compress(IV, b"".join(word.to_bytes(4, "little") for word in children), 0, PARENT | root)


def blake3(data):
    """The hash of some bytes."""
    return b"".join(word.to_bytes(4, "little") for word in tree(data, 0, ROOT))
