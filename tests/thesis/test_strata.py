"""Strata: a mix of variants decides no verdict, and only profitable hits count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.core.messages import tr
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.amounts import on_class
from membench.thesis.claims.assumptions import Assumption, shipped
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.judging import judge_part
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.rule import Direction, VerdictThresholds, judge
from membench.thesis.claims.scenario import Scenario, subjects
from membench.thesis.claims.statistics import STATISTICS
from membench.thesis.claims.strata import StratumAxis, generations, labels, outcome, word_of
from membench.thesis.models.catalogue import judged_models

PARTS = {part.id: part for part in ledger().parts}
RULE = VerdictThresholds(
    direction=Direction.HIGHER, supports=1.0, contradicts=0.0, share=0.8, contradicting_share=0.8
)


def draws(share: float) -> Floats:
    """Ten draws: a ``share`` of the draws supports the claim, the others contradict it."""
    return np.array([1.0 if place < round(10 * share) else 0.0 for place in range(10)])


def scenario(entries: dict[str, Assumption] | None = None) -> Scenario:
    return next(iter(subjects(ledger(), entries or shipped(), [], 100, 1).values()))


def test_a_mix_of_old_models_no_longer_decides() -> None:
    old = [slug for slug, name in generations().items() if name == "models of 2023-24"]
    drawn = dict.fromkeys(old, draws(1.0)) | {"deepseek-v4-pro": draws(0.0)}
    pooled = judge(np.stack(list(drawn.values())), RULE)
    assert pooled.word is ClaimVerdict.SUPPORTED
    found = outcome(drawn, RULE)
    assert found.word is ClaimVerdict.INCONCLUSIVE
    assert {(one.axis, one.name, one.judgement.word) for one in found.strata} == {
        (StratumAxis.GENERATION, "models of 2023-24", ClaimVerdict.SUPPORTED),
        (StratumAxis.GENERATION, "models of 2026", ClaimVerdict.CONTRADICTED),
    }


SHARES = st.dictionaries(
    st.tuples(
        st.sampled_from(sorted(judged_models())),
        st.sampled_from(["agent", "conversation"]),
        st.sampled_from(["Hopper (2022)", "Rubin (2026)"]),
    ),
    st.sampled_from([0.0, 0.5, 0.8, 0.9, 1.0]),
    min_size=1,
)


@settings(max_examples=examples(40))
@given(SHARES)
def test_a_decided_verdict_is_that_of_every_stratum(
    shares: dict[tuple[str, str, str], float],
) -> None:
    drawn: dict[str, Floats] = {on_class(*key): draws(share) for key, share in shares.items()}
    found = outcome(drawn, RULE)
    assert found.word is word_of(drawn, RULE)
    assert found.pooled == judge(np.stack(list(drawn.values())), RULE)
    if found.word is not ClaimVerdict.INCONCLUSIVE:
        assert {one.judgement.word for one in found.strata} <= {found.word}
    for axis in StratumAxis:
        sizes = [one.variants for one in found.strata if one.axis is axis]
        assert sum(sizes) in (0, len(drawn))
        assert len(sizes) != 1


def test_variants_have_the_strata_that_their_names_say() -> None:
    assert labels("llama-3.1-8b") == {StratumAxis.GENERATION: "models of 2023-24"}
    assert labels(on_class("glm-5", "agent", "Rubin (2026)")) == {
        StratumAxis.GENERATION: "models of 2026",
        StratumAxis.TRACE: "agent",
        StratumAxis.GPU: "Rubin (2026)",
        StratumAxis.BOTH: "models of 2026 on Rubin (2026)",
    }
    assert labels(tr("{model}, {point}", model="kimi-k2", point="p50")) == {
        StratumAxis.GENERATION: "models of 2025",
        StratumAxis.CASE: "p50",
    }
    assert labels("decode/attn/model=llama-3.1-8b/batch=8 (rate median)") == {
        StratumAxis.CASE: "decode/attn"
    }
    assert labels("GB300 dense") == {StratumAxis.CASE: "GB300 dense"}


def test_every_judged_model_has_a_day_of_release() -> None:
    assert set(generations()) == set(judged_models())
    assert set(generations().values()) == {"models of 2023-24", "models of 2025", "models of 2026"}


@pytest.mark.parametrize("name", ["C12b", "C15d", "C17a"])
def test_replays_are_judged_by_generation_class_and_trace(name: str) -> None:
    found = judge_part(PARTS[name], scenario(), shipped())
    axes = {one.axis for one in found.strata}
    assert axes == {StratumAxis.GENERATION, StratumAxis.GPU, StratumAxis.BOTH, StratumAxis.TRACE}
    classes = [one.name for one in found.strata if one.axis is StratumAxis.GPU]
    assert classes == ["Hopper (2022)", "Blackwell (2024)", "Rubin (2026)"]
    assert found.word is ClaimVerdict.INCONCLUSIVE


def test_hopper_and_rubin_do_not_come_out_alike() -> None:
    """About a tenth of the draws support C12b on Hopper GPUs, and far more on Rubin GPUs."""
    found = judge_part(PARTS["C12b"], scenario(), shipped())
    shares = {
        one.name: one.judgement.supporting for one in found.strata if one.axis is StratumAxis.GPU
    }
    assert shares["Hopper (2022)"] < 0.2
    assert shares["Rubin (2026)"] > 0.6
    words = {one.name: one.judgement.word for one in found.strata if one.axis is StratumAxis.BOTH}
    assert len(words) == 9
    assert words["models of 2026 on Hopper (2022)"] is ClaimVerdict.CONTRADICTED
    assert found.why == "strata disagree"
    assert "contradicted for models of 2026 on Hopper (2022)" in found.reason


@pytest.mark.parametrize("statistic", ["capacity_gain", "ssd_adds_hits"])
def test_hits_count_only_where_restoring_is_no_slower(statistic: str) -> None:
    entries = shipped()
    link = entries["system.link"]
    slow = replace(link, value=1e-6, low=1e-6, high=1e-6)
    fast = replace(link, value=1e6, low=1e6, high=1e6)
    none, all_of_them, some = (
        STATISTICS[statistic](scenario({**entries, "system.link": one}))
        for one in (slow, fast, link)
    )
    assert all((gain == 0).all() for gain in none.values())
    for name, gain in all_of_them.items():
        assert ((some[name] == 0) | (some[name] == gain)).all()
    assert any((some[name] < gain).any() for name, gain in all_of_them.items())


def test_weights_count_in_the_precision_in_which_a_model_is_published() -> None:
    """DeepSeek V3 is published in FP8 with 671 GB. In 16 bits it would have 1,342 GB."""
    from membench.thesis.claims.statistics.common import known_models

    held = {model.name: model.held.stored for model in known_models()}
    weights = {model.name: model.weights.total for model in known_models()}
    assert held["llama-3.1-70b"] == pytest.approx(2 * weights["llama-3.1-70b"])
    assert held["deepseek-v3"] == pytest.approx(671e9, rel=0.02)
    assert held["gpt-oss-120b"] < 0.7 * weights["gpt-oss-120b"]
