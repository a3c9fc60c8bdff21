"""Verdicts where one input is moved, kept between reports.

What flips a claim is found by hundreds of verdicts on moved inputs, which follow from the
draws, the assumptions and the source alone: of the shipped assumptions they never change, and
of a machine only with its results file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import membench.core.terms
from membench.core.kept import key_of, load, sources_key, store, version_of
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.assumptions import Assumptions
from membench.thesis.claims.judging import Words
from membench.thesis.claims.rule import Direction, VerdictThresholds
from membench.thesis.claims.scenario import Scenario

_DIRECTORY = "flips"
_NUMBERS = ("supports", "contradicts", "share", "contradicting_share")
_SOURCES = (Path(__file__).parents[1], Path(membench.core.terms.__file__))


def words_key(
    entries: Assumptions,
    seed: int,
    draws: int,
    scenario: Scenario | None = None,
    inputs: Iterable[str] = (),
) -> str:
    """The key of all that decides the words: of ``scenario``, or where it is None of no machine."""
    assumed = [
        [name, entry.value, entry.low, entry.high, entry.scale, entry.unit]
        for name, entry in entries.items()
    ]
    measured: list[object] = []
    if scenario is not None:
        measured = [
            scenario.device,
            dict(scenario.peaks),
            scenario.pair_cases,
            {name: _digest(scenario.values[name]) for name in inputs if name in scenario.values},
        ]
    source = [sources_key(*_SOURCES), version_of("numpy")]
    return key_of(source, seed, draws, assumed, measured)


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(f"{values.shape}".encode() + values.tobytes()).hexdigest()


@contextmanager
def kept_words(words: Words, key: str) -> Iterator[None]:
    """Add to ``words`` what is kept under ``key``, and keep what comes to them."""
    content = load(_DIRECTORY, key)
    if content is not None:
        words.update(_read(content))
    before = len(words)
    yield
    if len(words) > before:
        store(_DIRECTORY, key, _written(words))


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
