"""Few evaluations of a monotone statistic give the verdicts of all its steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from gpu_box import make_box
from hypothesis import given
from hypothesis import strategies as st
from sampling import examples

from membench.core.terms import ClaimVerdict
from membench.thesis.claims import judging
from membench.thesis.claims.assumptions import shipped
from membench.thesis.claims.flip import LADDER, smallest_flip
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.monotone import MONOTONE
from membench.thesis.claims.scenario import Scenario, subjects
from membench.thesis.claims.statistics import STATISTICS
from membench.thesis.claims.sweep import Sweep
from membench.thesis.claims.verdict_file import to_json
from membench.thesis.claims.verdicts import verdicts

Words = tuple[ClaimVerdict, ...]
ASCENDING = (ClaimVerdict.CONTRADICTED, ClaimVerdict.INCONCLUSIVE, ClaimVerdict.SUPPORTED)
ENDS = st.floats(-5, 5)
TODAY = date(2026, 11, 29)


def words_at(step: float, changes: Sequence[tuple[float, float]]) -> Words:
    """Two groups whose verdicts change at the given steps, and the verdict that both decide."""
    first, second = (ASCENDING[bisect_right(sorted(one), step)] for one in changes)
    word = first if first is second else ClaimVerdict.INCONCLUSIVE
    return word, first, second


@given(
    st.tuples(st.tuples(ENDS, ENDS), st.tuples(ENDS, ENDS)),
    st.lists(st.sampled_from([sign * size for size in LADDER for sign in (-1, 1)]) | ENDS),
)
def test_a_sweep_gives_the_verdict_of_every_step(
    changes: tuple[tuple[float, float], tuple[float, float]], steps: list[float]
) -> None:
    sweep = Sweep(lambda step: words_at(step, changes))
    for step in steps:
        assert sweep.word(step) is words_at(step, changes)[0]


@given(st.floats(LADDER[0], LADDER[-1]), st.sampled_from([-1, 1]))
def test_a_search_evaluates_half_of_the_steps(change: float, sign: int) -> None:
    def moved(step: float) -> Words:
        evaluated.append(step)
        return (ASCENDING[2 if sign * step >= change else 0],)

    def directly(_name: str, step: float) -> ClaimVerdict:
        return moved(step)[0]

    evaluated: list[float] = []
    expected = smallest_flip(directly, ["a"], ASCENDING[0], {})
    evaluated = []
    sweep = Sweep(moved)
    found = smallest_flip(lambda _, step: sweep.word(step), ["a"], ASCENDING[0], {})
    assert found == expected
    assert len(evaluated) <= 15


def test_two_evaluations_beside_the_present_one_show_that_nothing_changes() -> None:
    evaluated = []

    def constant(step: float) -> Words:
        evaluated.append(step)
        return (ClaimVerdict.SUPPORTED,)

    sweep = Sweep(constant)
    for size in LADDER:
        assert sweep.word(size) is sweep.word(-size) is ClaimVerdict.SUPPORTED
    assert evaluated == [0.0, LADDER[-1], -LADDER[-1]]


def scenario_of(seed: int) -> Scenario:
    """A machine with an H100 and random values: each draw up to ten times as large or as small."""
    entries = shipped()
    (of,) = subjects(ledger(), entries, make_box({}), 40, seed).values()
    random = np.random.default_rng(seed)
    fixed = {name for name, entry in entries.items() if entry.unit in ("share", "year")}
    values = {
        name: draws * np.exp(random.uniform(-2.3, 2.3, draws.shape))
        for name, draws in of.values.items()
        if name not in fixed
    }
    return Scenario(
        values={**of.values, **values}, peaks=of.peaks, device=of.device, dates=of.dates
    )


@pytest.mark.parametrize(
    ("statistic", "name", "direction"),
    [(one, name, way) for one, names in MONOTONE.items() for name, way in names.items()],
)
def test_a_listed_statistic_is_monotone(statistic: str, name: str, direction: int) -> None:
    random = np.random.default_rng(7)
    compute = STATISTICS[statistic]
    changed = False
    for seed in range(examples(24)):
        of = scenario_of(seed)
        steps = sorted(random.uniform(-LADDER[-1], LADDER[-1], 4))
        found = [np.array([*compute(of.moved(name, step)).values()]) for step in steps]
        for lower, higher in pairwise(found):
            rounding = 1e-12 * np.abs(lower)
            assert (direction * (higher - lower) >= -rounding).all()
        changed |= bool((found[0] != found[-1]).any())
    assert changed


def test_distances_and_inputs_that_change_the_number_of_gpus_are_not_listed() -> None:
    assert {*MONOTONE["kv_over_free_hbm"]} == {"hbm-read", "gemm"}
    for name in ("transistor_ratio", "density_growth", "reachable_capacity", "rubin_volume"):
        assert name not in MONOTONE


@pytest.mark.parametrize("scale", [{}, {"hbm-read": 0.4, "ssd-hbm": 3.0}])
def test_the_verdicts_are_those_of_a_search_that_evaluates_every_step(
    scale: dict[str, float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def found(folder: str) -> str:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
        # an assumption, so that no earlier verdict of this process is used again
        assume = ("system.link=25",)
        return to_json(verdicts(make_box(scale), assume=assume, today=TODAY), [])

    few = found("few")
    monkeypatch.setattr(judging, "MONOTONE", {})
    assert found("all") == few
