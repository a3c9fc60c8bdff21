"""The order of the pointers that ``kernels/chase.cu`` follows, computed on the host."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDS = 4
_U32 = 2**32 - 1


@dataclass(frozen=True)
class GpuRing:
    """A closed cycle through ``lines`` lines in an order that a formula gives.

    So all threads can link the ring at once, and the host can compute where a walk of any length
    ends.

    Attributes:
        lines: number of lines, at least 2.
        window: number of lines within which the order is random. The window is a power of two, at
            least 2 and below twice ``lines``. A window smaller than ``lines`` must divide
            ``lines``.
        seed: any number; it selects the order.

    Raises:
        ValueError: ``lines`` or ``window`` breaks these rules.
    """

    lines: int
    window: int
    seed: int

    def __post_init__(self) -> None:
        if self.lines < 2:
            raise ValueError(f"a ring needs at least 2 lines, not {self.lines}")
        if self.window < 2 or self.window & (self.window - 1):
            raise ValueError(f"window must be a power of two and at least 2, not {self.window}")
        if self.window < self.lines and self.lines % self.window:
            raise ValueError(
                f"{self.lines} lines are not a multiple of the window of {self.window} lines"
            )
        if self.window >= 2 * self.lines:
            raise ValueError(f"a window of {self.window} lines is too large for {self.lines} lines")

    @classmethod
    def random(cls, lines: int, seed: int) -> GpuRing:
        return cls(lines, 1 << (lines - 1).bit_length(), seed)

    @property
    def bits(self) -> int:
        """log2 of ``window``."""
        return self.window.bit_length() - 1

    def place(self, index: int) -> int:
        """The number of the line at position ``index`` of the ring."""
        window = index >> self.bits
        first = window << self.bits
        seed = (self.seed + window * 0xC2B2AE35) & _U32
        x = _mix(index & (self.window - 1), self.bits, seed)
        while x >= self.lines - first:  # the result is outside an incomplete window, so mix again
            x = _mix(x, self.bits, seed)
        return first | x


def _mix(x: int, bits: int, seed: int) -> int:
    """A bijection on numbers of ``bits`` bits, the same as in ``kernels/chase.cu``."""
    mask, shift = (1 << bits) - 1, bits // 2 + 1
    for round_ in range(_ROUNDS):
        x = (x * 0x9E3779B1 + (seed >> 8 * round_)) & mask
        x ^= x >> shift
        x = x * 0x85EBCA6B & mask
        x ^= x >> shift
    return x
