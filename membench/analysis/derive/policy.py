"""Choose the method by which an inference engine should move KV blocks of a given size and number.

A rule consists of one method, or of two methods and the block size at which to switch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from membench.core.record import record
from membench.core.units import format_size

REFERENCE = "contig"
"""Method that is measured only for comparison: an engine's blocks are not contiguous."""

CLOSE = 0.02
"""Losses that differ by at most this fraction count as equal."""


@record
class TransferCell:
    """Moving ``count`` blocks of ``block`` bytes by ``method`` reached ``gbs`` GB/s."""

    block: int
    count: int
    method: str
    gbs: float


@record
class Cell:
    """The fastest method of moving ``count`` blocks of ``block`` bytes.

    Attributes:
        gbs: bandwidth of ``best`` in GB/s.
        lead: factor by which ``best`` is faster than the second best method.
    """

    block: int
    count: int
    best: str
    gbs: float
    lead: float

    @property
    def decided(self) -> bool:
        """Whether the best method is faster than the second best by more than `CLOSE`."""
        return self.lead > 1 + CLOSE


@record
class MethodRule:
    """A rule that chooses the method by block size, for transfers of ``count`` or more blocks.

    Attributes:
        below: method for blocks smaller than ``threshold``.
        threshold: bytes; 0 if ``above`` is used for all sizes.
        above: method for blocks of ``threshold`` bytes or more.
        loss: largest fraction of the best bandwidth that the rule loses in a measured case.
    """

    count: int
    below: str
    threshold: int
    above: str
    loss: float

    @property
    def choice(self) -> tuple[str, int, str]:
        """``(below, threshold, above)``: rules with equal choices can be merged."""
        return self.below, self.threshold, self.above

    def method(self, block: int) -> str:
        return self.above if block >= self.threshold else self.below

    def __str__(self) -> str:
        if not self.threshold:
            return f"{self.count}:{self.above}"
        return f"{self.count}:{self.below}<{format_size(self.threshold)}<={self.above}"


def measured_for(blocks: Iterable[int], size: int) -> int:
    """Choose the measured block size whose results are used for blocks of ``size`` bytes.

    The result is the largest of ``blocks`` up to ``size``, or else the smallest of ``blocks``.
    """
    known = set(blocks)
    return max((block for block in known if block <= size), default=min(known))


Points = Mapping[tuple[int, int], Mapping[str, float]]


def by_place(moved: Iterable[TransferCell]) -> Points:
    """Group bandwidths: ``(block, count) -> method -> GB/s``, without the method `REFERENCE`."""
    places: dict[tuple[int, int], dict[str, float]] = {}
    for one in moved:
        if one.method != REFERENCE:
            places.setdefault((one.block, one.count), {})[one.method] = one.gbs
    return dict(sorted(places.items()))


def crossover_map(moved: Iterable[TransferCell]) -> tuple[Cell, ...]:
    """The best method for each (block, count) for which at least two methods were measured."""
    cells = []
    for (block, count), methods in by_place(moved).items():
        if len(methods) < 2:
            continue
        best, *others = sorted(methods.items(), key=lambda item: -item[1])
        cells.append(Cell(block, count, best[0], best[1], best[1] / others[0][1]))
    return tuple(cells)


def policy(moved: Iterable[TransferCell]) -> tuple[MethodRule, ...]:
    """Choose a rule for each number of blocks, and merge neighbouring rules that are equal.

    A number of blocks for which `_rule` finds no rule is left out.
    """
    places = by_place(moved)
    rules: list[MethodRule] = []
    for count in sorted({count for _, count in places}):
        sizes = {block: methods for (block, n), methods in places.items() if n == count}
        found = _rule(count, sizes)
        if found is None:
            continue
        if rules and rules[-1].choice == found.choice:
            rules[-1] = _with_loss(rules[-1], max(rules[-1].loss, found.loss))
        else:
            rules.append(found)
    return tuple(rules)


def policy_line(way: str, rules: Sequence[MethodRule]) -> str:
    """Format ``rules`` for a configuration file: ``h2d 16:batch 1024:sm<28KiB<=batch``."""
    return " ".join([way, *map(str, rules)])


def _rule(count: int, sizes: Mapping[int, Mapping[str, float]]) -> MethodRule | None:
    """The simplest rule whose largest loss is at most `CLOSE` above the smallest possible loss.

    Only methods that were measured at all block sizes count. The result is None if there are fewer
    than two such methods. ``sizes``: block size in bytes -> method -> GB/s.
    """
    everywhere = set.intersection(*(set(methods) for methods in sizes.values()))
    if len(everywhere) < 2:
        return None
    blocks = sorted(sizes)
    candidates = [MethodRule(count, one, 0, one, 0.0) for one in sorted(everywhere)]
    candidates += [
        MethodRule(count, below, threshold, above, 0.0)
        for below, above in itertools.permutations(sorted(everywhere), 2)
        for threshold in blocks[1:]
    ]
    scored = [_with_loss(rule, _loss(rule, sizes)) for rule in candidates]
    least = min(rule.loss for rule in scored)
    near = [rule for rule in scored if rule.loss <= least + CLOSE]
    return min(near, key=lambda rule: (rule.threshold > 0, rule.loss, rule.threshold))


def _with_loss(rule: MethodRule, loss: float) -> MethodRule:
    return MethodRule(rule.count, rule.below, rule.threshold, rule.above, loss)


def _loss(rule: MethodRule, sizes: Mapping[int, Mapping[str, float]]) -> float:
    return max(
        1 - methods[rule.method(block)] / max(methods.values()) for block, methods in sizes.items()
    )
