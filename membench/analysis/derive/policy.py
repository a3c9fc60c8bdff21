"""How an engine should move KV blocks: the method, by block size and number of blocks.

The input is the rows of ``kv/*``: the bandwidth of each method with N blocks of B bytes. For every
measured number of blocks, the rule (two methods and one threshold) with the smallest worst-case
loss against the best method is chosen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from membench.core.record import record
from membench.core.units import format_size

REFERENCE = "contig"
"""A method measured only for comparison: an engine's blocks are not contiguous."""

CLOSE = 0.02
"""Difference in loss too small to prefer a more complex rule, or to call a cell decided."""


@record
class TransferCell:
    """One cell of the map: ``count`` blocks of ``block`` bytes, moved by ``method`` at ``gbs``."""

    block: int
    count: int
    method: str
    gbs: float


@record
class Cell:
    """The best method at one block size and number.

    Attributes:
        lead: factor by which it is faster than the next one; 1 if there is no other.
    """

    block: int
    count: int
    best: str
    gbs: float
    lead: float

    @property
    def decided(self) -> bool:
        """Whether the next method is slower by more than noise."""
        return self.lead > 1 + CLOSE


@record
class MethodRule:
    """From ``count`` blocks on: ``below`` for blocks under ``threshold`` bytes, else ``above``.

    Attributes:
        threshold: bytes; 0 if one method (``above``) serves for all sizes.
        loss: share of the best bandwidth that the rule loses in its worst case.
    """

    count: int
    below: str
    threshold: int
    above: str
    loss: float

    @property
    def choice(self) -> tuple[str, int, str]:
        """The rule without its ``count``."""
        return self.below, self.threshold, self.above

    def method(self, block: int) -> str:
        """The method of the rule for blocks of ``block`` bytes."""
        return self.above if block >= self.threshold else self.below

    def __str__(self) -> str:
        if not self.threshold:
            return f"{self.count}:{self.above}"
        return f"{self.count}:{self.below}<{format_size(self.threshold)}<={self.above}"


def measured_for(blocks: Iterable[int], size: int) -> int:
    """The measured block size that represents ``size``, consistent with a rule's threshold.

    It is the largest of ``blocks`` (at least one) that is no larger than ``size``, otherwise the
    smallest.
    """
    known = set(blocks)
    return max((block for block in known if block <= size), default=min(known))


Points = Mapping[tuple[int, int], Mapping[str, float]]


def by_place(moved: Iterable[TransferCell]) -> Points:
    """``(block, count) -> method -> GB/s``, without the reference method."""
    places: dict[tuple[int, int], dict[str, float]] = {}
    for one in moved:
        if one.method != REFERENCE:
            places.setdefault((one.block, one.count), {})[one.method] = one.gbs
    return dict(sorted(places.items()))


def crossover_map(moved: Iterable[TransferCell]) -> tuple[Cell, ...]:
    """The best method for every (block, count) that was measured with at least two methods."""
    cells = []
    for (block, count), methods in by_place(moved).items():
        if len(methods) < 2:
            continue
        best, *others = sorted(methods.items(), key=lambda item: -item[1])
        cells.append(Cell(block, count, best[0], best[1], best[1] / others[0][1]))
    return tuple(cells)


def policy(moved: Iterable[TransferCell]) -> tuple[MethodRule, ...]:
    """One rule per number of blocks, without those that equal the rule before.

    A rule uses only methods that were measured at every block size of its number of blocks.
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
    """The rules as one line for a configuration: ``h2d 16:batch 1024:sm<28KiB<=batch``."""
    return " ".join([way, *map(str, rules)])


def _rule(count: int, sizes: Mapping[int, Mapping[str, float]]) -> MethodRule | None:
    """The simplest rule whose worst loss is at most `CLOSE` above the smallest possible."""
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
