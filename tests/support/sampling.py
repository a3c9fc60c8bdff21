"""Choose how many cases of a long proof plain `pytest` runs. `pytest -m ""` runs all cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

_SHARE = 4
_FEWEST = 6
_USUAL = "90"
"""The architecture (Hopper) of the tests that plain `pytest` runs on compiled kernels."""


class _Selection:
    """Whether all cases run. conftest.py sets ``whole`` before pytest imports the tests."""

    whole = False


def take_all() -> None:
    _Selection.whole = True


def examples(count: int = 100) -> int:
    """Number of examples of a property test: ``count``, or a quarter for plain `pytest`."""
    return count if _Selection.whole else max(_FEWEST, count // _SHARE)


def mark_the_rest_slow(items: Iterable[pytest.Item]) -> None:
    """Mark as `slow` all but N parameter sets of every test that is marked `sampled(N)`.

    The remaining N parameter sets are spread evenly over all parameter sets. Of other tests that
    compile kernels for several architectures (parameter ``arch``), `slow` marks all but one.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    architectures: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        test = item.nodeid.partition("[")[0]
        if item.get_closest_marker("sampled"):
            cases[test].append(item)
        elif _architecture(item):
            architectures[test].append(item)
    for several in architectures.values():
        known = [_architecture(item) for item in several]
        usual = _USUAL if _USUAL in known else known[0]
        for item in several:
            if _architecture(item) != usual:
                item.add_marker(pytest.mark.slow)
    for several in cases.values():
        marker = several[0].get_closest_marker("sampled")
        assert marker
        kept = _spread(len(several), *marker.args)
        for place, item in enumerate(several):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


def _architecture(item: pytest.Item) -> str | None:
    """The architecture for which a test compiles kernels, such as "90"; None without one."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("arch") if callspec else None


def _spread(count: int, keep: int) -> set[int]:
    """``keep`` evenly spread numbers from 0 to ``count`` - 1, including both ends."""
    if keep >= count:
        return set(range(count))
    return {round(step * (count - 1) / max(1, keep - 1)) for step in range(keep)}
