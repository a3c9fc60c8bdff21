"""Plot of the verdict on each proposition for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.messages import listed, tr, tr_n
from membench.core.terms import ClaimVerdict
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.plots import style
from membench.report.plots.style import NotDrawn
from membench.thesis.claims.judging import PartVerdict
from membench.thesis.claims.rule import judge
from membench.thesis.claims.verdict_words import VERDICTS
from membench.thesis.claims.verdicts import Subject, Verdicts
from membench.thesis.models.catalogue import judged_models

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Verdicts by model")
_DESCRIPTION = tr(
    "Matrix. Rows: propositions with a statistic that depends on the model. Columns: models. Each "
    "verdict uses only the values of one model. A filled square means supported, a cross means "
    "contradicted, a small circle means inconclusive."
)
_MARKS: dict[ClaimVerdict, dict[str, Any]] = {
    ClaimVerdict.SUPPORTED: {"marker": "s", "markersize": 7, "color": style.colour(0)},
    ClaimVerdict.CONTRADICTED: {"marker": "X", "markersize": 8, "color": style.colour(1)},
    ClaimVerdict.INCONCLUSIVE: {
        "marker": "o",
        "markersize": 4.5,
        "fillstyle": "none",
        "color": style.MUTED,
    },
}


def draw(found: Verdicts) -> Figure | NotDrawn:
    rows = {part.part.id: words for part in _parts(found) if (words := _by_model(part))}
    if not rows:
        return NotDrawn(_TITLE, tr("no statistic was computed model by model"))
    names = [name for name in judged_models() if any(name in words for words in rows.values())]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for word, look in _MARKS.items():
            places = [
                (names.index(name), row)
                for row, words in enumerate(rows.values())
                for name, said in words.items()
                if said is word
            ]
            x, y = zip(*places, strict=True) if places else ((), ())
            axes.plot(x, y, label=VERDICTS[word], linestyle="none", **look)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8.5)
        axes.set_yticks(range(len(rows)), [*rows])
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(length=0)
        style.legend(canvas, axes)

    differ = [name for name, words in rows.items() if len(set(words.values())) > 1]
    caption = tr_n(
        "{count} proposition is judged model by model; all models agree.",
        "{count} propositions are judged model by model; all models agree on every proposition.",
        len(rows),
    )
    if differ:
        caption = tr_n(
            "{count} proposition is judged model by model; models disagree on {parts}.",
            "{count} propositions are judged model by model; models disagree on {parts}.",
            len(rows),
            parts=listed(differ),
        )
    cells: list[tuple[Line, ...]] = [
        (
            (part,),
            *((listed(name for name, said in words.items() if said is word),) for word in _MARKS),
        )
        for part, words in rows.items()
    ]
    return Figure(
        slug="verdict-matrix",
        title=_TITLE,
        caption=caption,
        description=_DESCRIPTION,
        drawing=style.plot("verdict-matrix", _TITLE, _DESCRIPTION, 120 + 19 * len(rows), paint),
        table=Table(
            tr("Verdict of each model"),
            (Column(tr("proposition")), *(Column(VERDICTS[word], prose=True) for word in _MARKS)),
            tuple(cells),
        ),
    )


def _parts(found: Verdicts) -> list[PartVerdict]:
    """The verdicts on all propositions, for the machine with the most computed statistics."""

    def weight(subject: Subject) -> int:
        return -sum(bool(part.variants) for claim in subject.claims for part in claim.parts)

    best = sorted(found.subjects, key=weight)[:1]
    return [part for subject in best for claim in subject.claims for part in claim.parts]


def _by_model(part: PartVerdict) -> dict[str, ClaimVerdict]:
    """Model -> one verdict on all variants with this model together.

    The result is empty if no variant of ``part`` names a model, or ``part`` has no thresholds.
    """
    draws: dict[str, list[np.ndarray]] = {}
    for variant in part.variants:
        name = variant.name.partition(",")[0]
        if name in judged_models():
            draws.setdefault(name, []).append(np.asarray(variant.draws))
    rule = part.part.thresholds
    if rule is None:
        return {}
    return {
        name: judge(np.concatenate([np.ravel(one) for one in several]), rule).word
        for name, several in draws.items()
    }
