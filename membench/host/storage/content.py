"""Generate incompressible content for the scratch file, in which every block identifies itself.

A block of 4 KiB begins with its offset in the file and a tag. The rest of the block is a piece of
one random pattern, and the tag identifies this piece. So a block alone shows whether it comes from
the right offset, whether it is complete, and which write produced it.
"""

from __future__ import annotations

import hashlib
import struct

BLOCK = 4096
PATTERN = 1 << 20
GENERATIONS = 1 << 12
"""Number of generations: 0 is the first fill, and later writes have generations from 1 on."""

# A tag consists of a mark (32 bits), the generation (12 bits) and the position in the pattern (20
# bits).
GENERATION_SHIFT = 20

STAMP = struct.Struct("<QQ")
"""The first 16 bytes of a block: offset and tag."""

_STRIDE = 663_461  # odd, so that 2**20 successive MiB all begin at different positions


class Content:
    """The content of a scratch file, a function of ``seed``, the offset and the generation.

    The generation distinguishes successive writes to the same offset.
    """

    def __init__(self, seed: int) -> None:
        name = b"membench scratch %d" % seed
        pattern = hashlib.shake_256(name).digest(PATTERN)
        self._twice = memoryview(pattern + pattern)
        self._mark = int.from_bytes(hashlib.sha256(name).digest()[:4]) << 32

    def fill(self, out: memoryview, offset: int, generation: int = 0) -> None:
        """Write the content at file offset ``offset`` into ``out``.

        Args:
            generation: 0 to `GENERATIONS` - 1.

        Raises:
            ValueError: ``offset`` or the length of ``out`` is not a multiple of `BLOCK`.
        """
        if len(out) % BLOCK or offset % BLOCK:
            raise ValueError(f"{len(out)} bytes at offset {offset} are not whole blocks")
        done = 0
        while done < len(out):
            at = offset + done
            count = min(PATTERN - at % PATTERN, len(out) - done)
            position = (at // PATTERN * _STRIDE + at) % PATTERN
            out[done : done + count] = self._twice[position : position + count]
            tag = self._mark | generation << GENERATION_SHIFT
            for block in range(0, count, BLOCK):
                where = (position + block) % PATTERN
                STAMP.pack_into(out, done + block, at + block, tag | where)
            done += count

    def generation(self, block: memoryview, offset: int) -> int:
        """The generation of ``block``, read at file offset ``offset``; -1 if ``block`` is wrong."""
        found, tag = STAMP.unpack_from(block)
        position = tag % PATTERN
        if found != offset or tag >> 32 << 32 != self._mark:
            return -1
        piece = self._twice[position + STAMP.size : position + BLOCK]
        # Compare as bytes, because Python compares memory views element by element.
        ours = bytes(block[STAMP.size : BLOCK]) == bytes(piece)
        return tag >> GENERATION_SHIFT & (GENERATIONS - 1) if ours else -1

    def wrong(self, data: memoryview, offset: int) -> int:
        """File offset of the first wrong block of ``data``; -1 if every block is right.

        ``data`` was read at file offset ``offset``.
        """
        for at in range(0, len(data), BLOCK):
            if self.generation(data[at : at + BLOCK], offset + at) < 0:
                return offset + at
        return -1
