"""Fill GPU buffers with known contents, and check these contents.

Every 32-bit word is a function of its index, the same function as in ``kernels/pattern.cu``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from membench.core.errors import VerificationFailed
from membench.gpu.protocol import Buffer, Gpu, KernelVariant

if TYPE_CHECKING:
    import numpy.typing as npt

STEP = 0x9E3779B1
"""Increment of the pattern from one word to the next word, modulo 2^32."""

POISON = 0xA5
"""The byte that fills a buffer before a kernel overwrites the buffer."""

UNTOUCHED = 2**32 - 1
"""A value in place of a block number, for a block of the target to which no block was copied."""

_FILE = KernelVariant("pattern.cu")
_BLOCK = 256
_BLOCKS_PER_SM = 8


def pattern(first: int, count: int, salt: int) -> npt.NDArray[np.uint32]:
    """The words ``first`` to ``first + count - 1`` of the pattern with ``salt``."""
    index = np.arange(first, first + count, dtype=np.uint64)
    return (index * np.uint64(STEP) + np.uint64(salt)).astype(np.uint32)


def small(first: int, count: int, salt: int) -> npt.NDArray[np.float32]:
    """Whole numbers from 0 to 3, made of the pattern's words ``first`` to ``first + count - 1``."""
    return (pattern(first, count, salt) >> np.uint32(30)).astype(np.float32)


def pattern_sum(count: int, salt: int) -> int:
    """Sum of the first ``count`` words of the pattern modulo 2^32, in closed form."""
    return (STEP * (count * (count - 1) // 2) + salt * count) % 2**32


class Patterns:
    """Fills and checks buffers on a GPU. The kernels run in the measured queue.

    In the methods, ``what`` begins the message of an error.
    """

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._grid = _BLOCKS_PER_SM * gpu.properties.sms
        self._found = gpu.allocate(16)
        # Load the kernels now: a first launch in a blocked queue would deadlock.
        self._kernels = {
            entry: gpu.kernel(_FILE, f"pattern_{entry}")
            for entry in (
                "fill",
                "fill_small",
                "check",
                "check_value",
                "check_linear",
                "check_blocks",
            )
        }

    def fill(self, target: Buffer, salt: int) -> None:
        self._launch("fill", target, np.uint64(target.size // 4), np.uint32(salt))

    def fill_small(self, target: Buffer, salt: int) -> None:
        """Fill ``target`` with whole numbers from 0 to 3 in single precision."""
        self._launch("fill_small", target, np.uint64(target.size // 4), np.uint32(salt))

    def poison(self, target: Buffer) -> None:
        """Fill ``target`` with `POISON`, so that a check finds words that no kernel wrote."""
        self._gpu.fill(target, POISON)

    def check(self, what: str, target: Buffer, salt: int) -> None:
        """Raise `VerificationFailed` if ``target`` differs from the pattern."""
        self._check(what, "check", target, np.uint32(salt))

    def check_value(self, what: str, target: Buffer, value: int) -> None:
        """Raise `VerificationFailed` if a word of ``target`` is not ``value``."""
        self._check(what, "check_value", target, np.uint32(value))

    def check_linear(
        self, what: str, target: Buffer, salt: int, factors: tuple[float, float, float]
    ) -> None:
        """Raise `VerificationFailed` if a number in ``target`` is not the expected sum.

        Number i must be ``x a + (y b + z c)`` with (x, y, z) = ``factors``. a, b and c are number i
        of `small` for the salts ``salt``, ``salt + 1`` and ``salt + 2``.
        """
        x, y, z = (np.float32(factor) for factor in factors)
        self._check(what, "check_linear", target, np.uint32(salt), x, y, z)

    def check_blocks(
        self, what: str, target: Buffer, block: int, of: npt.NDArray[np.uint32], salt: int
    ) -> None:
        """Raise `VerificationFailed` if a block of ``target`` has wrong contents.

        Args:
            block: bytes per block.
            of: for each block of ``target``, the number of the pattern's block that must be there;
                `UNTOUCHED` if every byte must still be `POISON`.
        """
        table = self._gpu.allocate(of.nbytes)
        self._gpu.upload(table, of)
        words, blocks = np.uint64(block // 4), np.uint64(of.size)
        poison = np.uint32(POISON * 0x01010101)
        self._gpu.upload(self._found, np.array([0, 2**64 - 1], np.uint64))
        args = (self._found, target, table, words, blocks, np.uint32(salt), poison)
        self._launch("check_blocks", *args)
        wrong, first = (int(word) for word in self._gpu.download(self._found, np.uint64, 2))
        if wrong:
            number, word = divmod(first - 1, block // 4)
            raise VerificationFailed(
                f"{what}: {wrong} of {target.size // 4} words are wrong; the first is word {word} "
                f"of block {number}"
            )

    def _check(self, what: str, entry: str, target: Buffer, *more: np.generic) -> None:
        self._gpu.upload(self._found, np.array([0, 2**64 - 1], np.uint64))
        words = target.size // 4
        self._launch(entry, self._found, target, np.uint64(words), *more)
        wrong, first = (int(word) for word in self._gpu.download(self._found, np.uint64, 2))
        if wrong:
            value = self._gpu.download(target, np.uint32, 1, 4 * (first - 1))[0]
            raise VerificationFailed(
                f"{what}: {wrong} of {words} words are wrong; the first is word {first - 1} with "
                f"the value {value:#x}"
            )

    def _launch(self, entry: str, *args: Buffer | np.generic) -> None:
        self._gpu.launch(self._kernels[entry], self._grid, _BLOCK, args)
