"""Caches on disk the verdicts that would follow from a change of one input.

`constant_words.json` contains the verdicts that depend only on built-in assumptions.
``python -m membench.thesis.claims.verdicts`` writes the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import membench.core.terms
from membench.core.kept import key_of, load, sources_key, store, version_of
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.judging import WordKey, Words
from membench.thesis.claims.rule import Direction, VerdictThresholds
from membench.thesis.claims.scenario import Scenario

CONSTANT = Path(__file__).with_name("constant_words.json")
_DIRECTORY = "flips"
_NUMBERS = ("supports", "contradicts", "share", "contradicting_share")
_SOURCES = (Path(__file__).parents[1], Path(membench.core.terms.__file__))


@contextmanager
def kept_words(scenario: Scenario, words: Words) -> Iterator[None]:
    """Load known verdicts into ``words``. After the ``with`` block, store the new verdicts."""
    inputs = _inputs(scenario)
    key = key_of([sources_key(*_SOURCES), version_of("numpy")], inputs)
    content = load(_DIRECTORY, key)
    if content is not None:
        words.update(_read(json.loads(content)))
    elif inputs == _constant()["inputs"]:
        words.update(_read(_constant()["words"]))
    before = len(words)
    yield
    if len(words) > before:
        store(_DIRECTORY, key, json.dumps(_plain(words)).encode())


@cache
def _constant() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONSTANT.read_text(encoding="utf-8"))
    return found


def as_json(scenario: Scenario, words: Words) -> dict[str, Any]:
    return {"inputs": _inputs(scenario), "words": _plain(words)}


def _inputs(scenario: Scenario) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(scenario.values.items()):
        digest.update(f"{name} {values.shape} {name in scenario.dates}\n".encode())
        digest.update(values.tobytes())
    return key_of(
        [digest.hexdigest(), scenario.seed, scenario.device, scenario.pair_cases],
        sorted(scenario.peaks.items()),
    )


def _read(plain: Sequence[Any]) -> Iterator[tuple[WordKey, ClaimVerdict]]:
    for statistic, direction, numbers, moved in plain:
        rule = dict(zip(_NUMBERS, numbers, strict=True))
        thresholds = VerdictThresholds(direction=Direction(direction), **rule)
        for name, step, word in moved:
            yield (statistic, thresholds, name, step), ClaimVerdict(word)


def _plain(words: Words) -> list[list[object]]:
    groups: dict[tuple[str, VerdictThresholds], list[list[object]]] = {}
    for (statistic, rule, name, step), word in words.items():
        groups.setdefault((statistic, rule), []).append([name, step, word])
    return [
        [statistic, rule.direction, [getattr(rule, name) for name in _NUMBERS], moved]
        for (statistic, rule), moved in groups.items()
    ]
