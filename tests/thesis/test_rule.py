"""The rules of the claims: every claim has a rule, and no value gives two verdicts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.terms import ClaimVerdict
from membench.thesis.claims.rule import Direction, Judgement, VerdictThresholds, combine, judge

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE = ClaimVerdict
NUMBERS = st.floats(-1e6, 1e6)
DRAWS = st.lists(NUMBERS, min_size=1, max_size=40).map(np.array)


@st.composite
def rules(draw: st.DrawFn) -> VerdictThresholds:
    low = draw(st.floats(-1e5, 1e5))
    high = low + draw(st.floats(1e-3, 1e5))
    direction = draw(st.sampled_from(Direction))
    share = draw(st.floats(0.05, 1))
    other = draw(st.floats(max(0.01, 1.0001 - share), 1))
    supports, contradicts = (high, low) if direction is Direction.HIGHER else (low, high)
    return VerdictThresholds(
        direction=direction,
        supports=supports,
        contradicts=contradicts,
        share=share,
        contradicting_share=other,
    )


def flipped(rule: VerdictThresholds, **changes: float) -> VerdictThresholds:
    values = {name: getattr(rule, name) for name in rule.__dataclass_fields__}
    return VerdictThresholds(**{**values, **changes})


@given(DRAWS, rules())
def test_no_draws_satisfy_both_verdicts(draws: np.ndarray, rule: VerdictThresholds) -> None:
    found = judge(draws, rule)
    for_it = found.supporting >= rule.share
    against = found.contradicting >= rule.contradicting_share
    assert not (for_it and against)
    assert found.supporting + found.contradicting <= 1 + 1e-12


@given(DRAWS, rules(), st.floats(0, 1e4))
def test_a_stricter_threshold_never_supports_more(
    draws: np.ndarray, rule: VerdictThresholds, by: float
) -> None:
    sign = 1 if rule.direction is Direction.HIGHER else -1
    stricter = flipped(rule, supports=rule.supports + sign * by)
    before, after = judge(draws, rule), judge(draws, stricter)
    assert after.supporting <= before.supporting
    if after.word is SUPPORTED:
        assert before.word is SUPPORTED
    looser = flipped(rule, contradicts=rule.contradicts - sign * by)
    assert judge(draws, looser).contradicting <= before.contradicting


@given(DRAWS, rules(), st.floats(0, 1e4))
def test_better_draws_never_make_it_worse(
    draws: np.ndarray, rule: VerdictThresholds, by: float
) -> None:
    sign = 1 if rule.direction is Direction.HIGHER else -1
    rank = {CONTRADICTED: 0, INCONCLUSIVE: 1, SUPPORTED: 2}
    assert rank[judge(draws + sign * by, rule).word] >= rank[judge(draws, rule).word]


@given(DRAWS, rules())
def test_the_mirror_image_is_judged_alike(draws: np.ndarray, rule: VerdictThresholds) -> None:
    other = Direction.LOWER if rule.direction is Direction.HIGHER else Direction.HIGHER
    mirror = VerdictThresholds(
        direction=other,
        supports=-rule.supports,
        contradicts=-rule.contradicts,
        share=rule.share,
        contradicting_share=rule.contradicting_share,
    )
    assert judge(-draws, mirror) == judge(draws, rule)


def test_the_share_is_of_all_draws_and_its_edge_counts() -> None:
    rule = VerdictThresholds(direction=Direction.HIGHER, supports=10, contradicts=3)
    assert judge(np.array([10.0] * 95 + [5.0] * 5), rule) == Judgement(SUPPORTED, 0.95, 0)
    assert judge(np.array([10.0] * 94 + [5.0] * 6), rule).word is INCONCLUSIVE
    assert judge(np.array([3.0] * 95 + [99.0] * 5), rule).word is CONTRADICTED
    assert judge(np.array([np.nan] * 6 + [10.0] * 94), rule).word is INCONCLUSIVE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supports": 3}, "do not fit the direction"),
        ({"contradicts": 10}, "do not fit the direction"),
        ({"share": 0.0}, "above 0 and at most 1"),
        ({"share": 1.1}, "above 0 and at most 1"),
        ({"share": 0.5, "contradicting_share": 0.5}, "both verdicts could be true"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, float], message: str) -> None:
    rule = VerdictThresholds(direction=Direction.HIGHER, supports=10, contradicts=3)
    with pytest.raises(ValueError, match=message):
        flipped(rule, **changes)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, NOT_TESTABLE], SUPPORTED),
        ([SUPPORTED, INCONCLUSIVE], INCONCLUSIVE),
        ([SUPPORTED, CONTRADICTED], CONTRADICTED),
        ([INCONCLUSIVE, CONTRADICTED, NOT_TESTABLE], CONTRADICTED),
        ([NOT_TESTABLE], NOT_TESTABLE),
    ],
)
def test_a_claim_falls_with_one_part_and_stands_with_all(
    words: list[ClaimVerdict], expected: ClaimVerdict
) -> None:
    for order in itertools.permutations(words):
        assert combine(order) is expected
