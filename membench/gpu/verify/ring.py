"""The order of the pointers that ``kernels/chase.cu`` follows, as the host knows it."""

from __future__ import annotations

from dataclasses import dataclass

_ROUNDS = 4
_U32 = 2**32 - 1


@dataclass(frozen=True)
class Ring:
    """One cycle through all ``lines``.

    Like Sattolo's shuffle it is a single cycle, so that a walk sees every line;
    unlike a shuffle it is a formula: all threads can link it at once, and where
    a walk of any length ends is known without walking.

    Attributes:
        lines: a power of two, 2 at least.
        window: lines within which the order is random; a power of two, at most ``lines``.
    """

    lines: int
    window: int
    seed: int

    def __post_init__(self) -> None:
        for name, number in (("lines", self.lines), ("window", self.window)):
            if number < 2 or number & (number - 1):
                raise ValueError(f"{name} must be a power of two, not {number}")
        if self.window > self.lines:
            raise ValueError(f"a window of {self.window} lines is more than {self.lines}")

    @property
    def bits(self) -> int:
        """Low bits of a line's number that are mixed."""
        return self.window.bit_length() - 1

    def place(self, index: int) -> int:
        """The line that is the ``index``-th of the ring."""
        window = index >> self.bits
        seed = (self.seed + window * 0xC2B2AE35) & _U32
        return window << self.bits | _mix(index & (self.window - 1), self.bits, seed)


def _mix(x: int, bits: int, seed: int) -> int:
    """A bijection on ``bits`` bits: odd factors, constants and shifts to the right."""
    mask, shift = (1 << bits) - 1, bits // 2 + 1
    for round_ in range(_ROUNDS):
        x = (x * 0x9E3779B1 + (seed >> 8 * round_)) & mask
        x ^= x >> shift
        x = x * 0x85EBCA6B & mask
        x ^= x >> shift
    return x
