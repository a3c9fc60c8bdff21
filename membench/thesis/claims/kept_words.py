"""A disk cache of verdicts computed while searching for the change that flips a verdict.

The search computes hundreds of verdicts after moving one input. They depend only on the draws, the
assumptions and the source code. So they can be reused in later reports: always for the shipped
assumptions, and for a machine as long as its results file is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import membench.core.terms
from membench.core.kept import key_of, load, sources_key, store, version_of
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.judging import Words
from membench.thesis.claims.rule import Direction, VerdictThresholds
from membench.thesis.claims.scenario import Scenario

_DIRECTORY = "flips"
_NUMBERS = ("supports", "contradicts", "share", "contradicting_share")
_SOURCES = (Path(__file__).parents[1], Path(membench.core.terms.__file__))


@contextmanager
def kept_words(scenario: Scenario, words: Words) -> Iterator[None]:
    """Load the cached verdicts of ``scenario`` into ``words``; store new ones on exit."""
    key = _key(scenario)
    content = load(_DIRECTORY, key)
    if content is not None:
        words.update(_read(content))
    before = len(words)
    yield
    if len(words) > before:
        store(_DIRECTORY, key, _written(words))


def _key(scenario: Scenario) -> str:
    """A hash of all inputs of the statistics and of their source code."""
    digest = hashlib.sha256()
    for name, values in sorted(scenario.values.items()):
        digest.update(f"{name} {values.shape} {name in scenario.dates}\n".encode())
        digest.update(values.tobytes())
    return key_of(
        [sources_key(*_SOURCES), version_of("numpy")],
        [digest.hexdigest(), scenario.seed, scenario.device, scenario.pair_cases],
        sorted(scenario.peaks.items()),
    )


def _read(
    content: bytes,
) -> Iterator[tuple[tuple[str, VerdictThresholds, str, float], ClaimVerdict]]:
    for statistic, direction, numbers, moved in json.loads(content):
        rule = dict(zip(_NUMBERS, numbers, strict=True))
        thresholds = VerdictThresholds(direction=Direction(direction), **rule)
        for name, step, word in moved:
            yield (statistic, thresholds, name, step), ClaimVerdict(word)


def _written(words: Words) -> bytes:
    groups: dict[tuple[str, VerdictThresholds], list[list[object]]] = {}
    for (statistic, rule, name, step), word in words.items():
        groups.setdefault((statistic, rule), []).append([name, step, word])
    plain = [
        [statistic, rule.direction, [getattr(rule, name) for name in _NUMBERS], moved]
        for (statistic, rule), moved in groups.items()
    ]
    return json.dumps(plain).encode()
