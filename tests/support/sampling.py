"""How much of a costly proof plain `pytest` takes; `pytest -m ""` takes all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

_SHARE = 4
_FEWEST = 6


class _Selection:
    """What the command line asked for; conftest.py sets it before any test is imported."""

    whole = False


def take_all() -> None:
    """Let `examples` leave nothing out."""
    _Selection.whole = True


def examples(count: int = 100) -> int:
    """Examples of a property: ``count`` of them, or a quarter of it for plain `pytest`."""
    return count if _Selection.whole else max(_FEWEST, count // _SHARE)


def mark_the_rest_slow(items: Iterable[pytest.Item]) -> None:
    """Mark as `slow` all but N parameter sets of every test that is marked `sampled(N)`.

    The N are spread evenly over the order of the parameters.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for several in cases.values():
        marker = several[0].get_closest_marker("sampled")
        assert marker
        kept = _spread(len(several), *marker.args)
        for place, item in enumerate(several):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def _spread(count: int, keep: int) -> set[int]:
    """``keep`` of the places 0 to ``count`` - 1, the first and the last among them."""
    if keep >= count:
        return set(range(count))
    return {round(step * (count - 1) / max(1, keep - 1)) for step in range(keep)}
