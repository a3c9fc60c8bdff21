"""Strata: groups of variants (models, GPUs, traces) that each get a separate verdict.

A verdict on all variants together depends on the mix of variants: five old models can outvote two
new models. Therefore, if the strata of one axis disagree, the verdict is `inconclusive`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from membench.core.messages import Message, tr
from membench.core.record import record
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.rule import (
    Judgement,
    VerdictThresholds,
    counts,
    judged,
    word_for,
)
from membench.thesis.models.catalogue import judged_models

if TYPE_CHECKING:
    from membench.thesis.claims.rule import Counts


Places = NDArray[np.intp]


class StratumAxis(StrEnum):
    """A property that groups variants into strata."""

    GENERATION = "model generation"
    GPU = "GPU class"
    BOTH = "model generation and GPU class"
    TRACE = "trace"
    CASE = "case"


_AXIS_OF_PARAMETER = {
    "gpu": StratumAxis.GPU,
    "workload": StratumAxis.TRACE,
    "point": StratumAxis.CASE,
    "case": StratumAxis.CASE,
}
"""Parameter of a variant's name -> axis."""


@record
class Stratum:
    """A group of variants, such as "models of 2025", and the verdict on the group.

    Attributes:
        variants: number of variants in the group.
    """

    axis: StratumAxis
    name: str
    variants: int
    judgement: Judgement


@record
class Outcome:
    """The verdicts on all variants together, on each variant, and on each stratum.

    Attributes:
        word: the verdict of ``pooled``; `inconclusive` if the strata of an axis disagree.
    """

    word: ClaimVerdict
    pooled: Judgement
    variants: tuple[Judgement, ...]
    strata: tuple[Stratum, ...]


def outcome(drawn: Mapping[str, Floats], thresholds: VerdictThresholds) -> Outcome:
    """The verdicts for ``drawn`` (variant -> draws). All variants have equal weight."""
    found = _Counted.of(drawn, thresholds)
    strata = found.strata()
    pooled = found.pooled()
    return Outcome(
        ClaimVerdict.INCONCLUSIVE if disagreeing(strata) else pooled.word,
        pooled,
        tuple(found.judge(np.array([place])) for place in range(len(found.variants))),
        strata,
    )


def word_of(drawn: Mapping[str, Floats], thresholds: VerdictThresholds) -> ClaimVerdict:
    """The ``word`` of `outcome`, computed in less time."""
    return words_of(drawn, thresholds)[0]


def words_of(
    drawn: Mapping[str, Floats], thresholds: VerdictThresholds
) -> tuple[ClaimVerdict, ...]:
    """The ``word`` of `outcome`, then the verdicts on all variants together and on each stratum.

    The order of the strata depends only on the names of the variants.
    """
    found = _Counted.of(drawn, thresholds)
    axes = _axes(found.variants)
    strata = [word_for(*shares, thresholds) for shares in found.shares_of_strata()]
    pooled = found.pooled().word
    apart = len({*zip(axes, strata, strict=True)}) > len({*axes})
    return ClaimVerdict.INCONCLUSIVE if apart else pooled, pooled, *strata


@record
class _Counted:
    """The numbers of supporting and contradicting draws of each variant.

    Attributes:
        supporting, contradicting: [variant] numbers of draws.
        draws: number of draws per variant.
    """

    variants: tuple[str, ...]
    supporting: Counts
    contradicting: Counts
    draws: int
    thresholds: VerdictThresholds

    @classmethod
    def of(cls, drawn: Mapping[str, Floats], thresholds: VerdictThresholds) -> _Counted:
        rows = [*drawn.values()]
        if len({row.shape for row in rows}) > 1:
            rows = [*np.broadcast_arrays(*rows)]
        grid = np.array(rows)
        return cls(tuple(drawn), *counts(grid, thresholds), grid.shape[-1], thresholds)

    def judge(self, places: Places) -> Judgement:
        drawn = self.draws * len(places)
        return judged(
            int(self.supporting[places].sum()) / drawn,
            int(self.contradicting[places].sum()) / drawn,
            self.thresholds,
        )

    def pooled(self) -> Judgement:
        return self.judge(np.arange(len(self.variants)))

    def shares_of_strata(self) -> list[tuple[float, float]]:
        members = _members(self.variants)
        drawn = self.draws * members.sum(axis=1)
        both = (self.supporting, self.contradicting)
        return list(zip(*((members @ spoken / drawn).tolist() for spoken in both), strict=True))

    def strata(self) -> tuple[Stratum, ...]:
        return tuple(
            Stratum(axis, name, len(places), judged(*shares, self.thresholds))
            for ((axis, name), places), shares in zip(
                _groups(self.variants).items(), self.shares_of_strata(), strict=True
            )
        )


def disagreeing(strata: Iterable[Stratum]) -> tuple[StratumAxis, ...]:
    """The axes on which two strata have different verdicts."""
    words: dict[StratumAxis, set[ClaimVerdict]] = {}
    for one in strata:
        words.setdefault(one.axis, set()).add(one.judgement.word)
    return tuple(axis for axis, found in words.items() if len(found) > 1)


def labels(variant: str) -> dict[StratumAxis, str]:
    """Axis -> stratum of ``variant``.

    If ``variant`` has neither a known model nor a parameter that gives an axis, the axis is `CASE`,
    and the stratum is the name of ``variant`` without the parts ``name=value`` of a case id.
    """
    params = variant.params if isinstance(variant, Message) else {}
    found: dict[StratumAxis, str] = {}
    generation = generations().get(str(params.get("model", variant)))
    if generation is not None:
        found[StratumAxis.GENERATION] = generation
    for name, axis in _AXIS_OF_PARAMETER.items():
        if name in params:
            label = params[name]
            found[axis] = label if isinstance(label, str) else str(label)
    if StratumAxis.GENERATION in found and StratumAxis.GPU in found:
        both = {"generation": found[StratumAxis.GENERATION], "gpu": found[StratumAxis.GPU]}
        found[StratumAxis.BOTH] = tr("{generation} on {gpu}", **both)
    return found or {StratumAxis.CASE: _family(variant)}


def _family(case: str) -> str:
    if "=" not in case:
        return case
    return "/".join(part for part in case.split("/") if "=" not in part)


@cache
def generations() -> Mapping[str, str]:
    """Short name of a model -> generation, from the year of release."""
    return MappingProxyType(
        {
            slug: _generation(model.released.year)
            for slug, model in judged_models().items()
            if model.released is not None
        }
    )


_DENSE_YEARS = 2024
"""Last year in which most open models were dense."""


def _generation(year: int) -> Message:
    if year <= _DENSE_YEARS:
        return tr("models of 2023-24")
    return tr("models of {year}", year=year)


@lru_cache(maxsize=64)
def _groups(variants: tuple[str, ...]) -> Mapping[tuple[StratumAxis, str], Places]:
    """(axis, stratum) -> indices of the variants, for each axis with several strata."""
    found: dict[tuple[StratumAxis, str], list[int]] = {}
    for place, variant in enumerate(variants):
        for axis, name in labels(variant).items():
            found.setdefault((axis, name), []).append(place)
    several = [axis for axis in StratumAxis if sum(key[0] is axis for key in found) > 1]
    return {
        key: np.array(places) for axis in several for key, places in found.items() if key[0] is axis
    }


@lru_cache(maxsize=64)
def _axes(variants: tuple[str, ...]) -> tuple[StratumAxis, ...]:
    return tuple(axis for axis, _ in _groups(variants))


@lru_cache(maxsize=64)
def _members(variants: tuple[str, ...]) -> Places:
    """[stratum, variant] 1 if the variant belongs to the stratum, else 0."""
    groups = _groups(variants).values()
    members = np.zeros((len(groups), len(variants)), np.intp)
    for row, places in zip(members, groups, strict=True):
        row[places] = 1
    return members
