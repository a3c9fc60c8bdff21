"""A disk cache of verdicts after a change of one input.

The search for the smallest change that changes a verdict computes hundreds of verdicts. These
verdicts depend only on the draws, the assumptions and the source code. Later reports with the same
results file and assumptions can therefore use the cached verdicts.
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
    """Load the cached verdicts of ``scenario`` into ``words``; store new verdicts on exit."""
    key = _key(scenario)
    content = load(_DIRECTORY, key)
    if content is not None:
        words.update(_read(content))
    before = len(words)
    yield
    if len(words) > before:
        store(_DIRECTORY, key, _written(words))


def _key(scenario: Scenario) -> str:
    """A hash of the inputs in ``scenario`` and of the source code of the statistics."""
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
