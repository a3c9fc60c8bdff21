"""The verdicts that membench contains are those that this code computes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from membench.core.terms import ClaimVerdict
from membench.thesis.claims import kept_words
from membench.thesis.claims.assumptions import shipped
from membench.thesis.claims.draws import DRAWS, SEED
from membench.thesis.claims.judging import Words
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.scenario import Scenario, subjects
from membench.thesis.claims.verdicts import computed_words

AGAIN = "python -m membench.thesis.claims.verdicts writes the file again"


def built_in() -> Scenario:
    """The scenario of the built-in assumptions, without a results file."""
    entries = shipped()
    (scenario,) = subjects(ledger(), entries, (), DRAWS, SEED).values()
    return scenario.only(entries)


def test_the_constant_verdicts_are_those_of_this_code() -> None:
    known = json.loads(kept_words.CONSTANT.read_text(encoding="utf-8"))
    assert known == json.loads(json.dumps(computed_words())), AGAIN


def test_only_the_scenario_of_the_built_in_assumptions_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    known: Words = {}
    with kept_words.kept_words(built_in(), known):
        assert len(known) > 500
    for name in ("system.link", "class.rubin.prefill"):
        words: Words = {}
        with kept_words.kept_words(built_in().moved(name, 0.1), words):
            assert words == {}
    assert not list(tmp_path.rglob("flips/*"))


def test_a_new_verdict_is_stored_with_the_constant_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    anywhere = built_in()
    words: Words = {}
    with kept_words.kept_words(anywhere, words):
        statistic, rule, name, _ = next(iter(words))
        words[statistic, rule, name, 0.123] = ClaimVerdict.INCONCLUSIVE
    again: Words = {}
    with kept_words.kept_words(anywhere, again):
        assert again == words
