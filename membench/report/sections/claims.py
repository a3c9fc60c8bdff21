"""The thesis about HBM, DDR and SSD, claim by claim, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from membench.report.document import (
    Block,
    Code,
    Column,
    Facts,
    Line,
    Link,
    Paragraph,
    Quote,
    Section,
    Strong,
    Table,
    joined,
)
from membench.report.runs import Run
from membench.thesis.claims import Claim, Kind, claims
from membench.thesis.evidence import Evidence, evidence
from membench.units import format_value

_KINDS = {
    Kind.MEASUREMENT: "measurement",
    Kind.MODEL: "a model fed by measurements",
    Kind.RECORD: "dated public records",
    Kind.NONE: "nothing that is measured here",
}


_WHAT_A_BENCHMARK_DECIDES = (
    "The thesis under test says that inference moves the demand for memory from HBM outward to DDR "
    "and SSD. A benchmark can show whether the mechanism works on a machine. It can never show "
    "that a market follows: no verdict here is one on prices, revenues or stocks."
)
_WHAT_A_VERDICT_IS = (
    "A verdict is supported, contradicted, inconclusive or not testable here, and goes no further "
    "than the measurements in this report."
)


def section(runs: Sequence[Run]) -> Section:
    """An introduction that says what a benchmark cannot decide, the verdicts, then the claims."""
    told = claims()
    sources = {_source(claim) for claim in told}
    blocks: list[Block] = [
        Paragraph((_WHAT_A_BENCHMARK_DECIDES,)),
        Paragraph((_WHAT_A_VERDICT_IS,)),
    ]
    if len(sources) == 1:
        blocks.append(Paragraph((f"All quotes are from {_source(told[0])}.",)))
    seen = [_seen(claim, runs) for claim in told]
    blocks.append(_overview(seen))
    parts = tuple(_part(several, source=len(sources) > 1) for several in seen)
    return Section("thesis", "Thesis: demand for HBM, DDR and SSD", tuple(blocks), parts)


def _seen(claim: Claim, runs: Sequence[Run]) -> dict[str, Evidence]:
    """The evidence by run; without any run, that there is none."""
    if not runs:
        return {"": evidence(claim, ())}
    return {run.label: evidence(claim, run.rows) for run in runs}


def _source(claim: Claim) -> str:
    return f"{claim.source}, {claim.date.isoformat()}"


def _tiers(claim: Claim) -> str:
    return ", ".join(tier.upper() for tier in claim.tiers)


def _verdict(seen: Evidence) -> str:
    return f"{seen.verdict.word}: {seen.verdict.reason}"


def _overview(seen: Sequence[dict[str, Evidence]]) -> Table:
    labels = list(seen[0])
    heads = [f"verdict in {label}" for label in labels] if len(labels) > 1 else ["verdict"]
    columns = (Column("claim"), *(Column(head, prose=True) for head in ["it says", *heads]))
    rows: list[tuple[Line, ...]] = []
    for several in seen:
        claim = next(iter(several.values())).claim
        name = Link(f"{claim.id} {_tiers(claim)}", _anchor(claim))
        rows.append(((name,), (claim.english,), *((_verdict(one),) for one in several.values())))
    return Table("Claims and verdicts", columns, tuple(rows))


def _anchor(claim: Claim) -> str:
    return f"claim-{claim.id.lower()}"


def _part(several: dict[str, Evidence], *, source: bool) -> Section:
    claim = next(iter(several.values())).claim
    items: list[tuple[str, Line]] = []
    for label, seen in several.items():
        of = f" in {label}" if len(several) > 1 else ""
        items.append((f"Verdict{of}", (Strong(_verdict(seen)),)))
    items += [
        ("Proposition", (claim.proposition,)),
        ("Tested by", (" and ".join(_KINDS[kind] for kind in claim.kinds),)),
        ("Decided by", (claim.decided_by,)),
    ]
    for label, seen in several.items():
        if claim.inputs:
            of = f" in {label}" if len(several) > 1 else ""
            items.append((f"Measured{of}", _inputs(seen)))
            items.append((f"Missing{of}", _missing(seen)))
    if source:
        items.append(("Source", (_source(claim),)))
    return Section(
        _anchor(claim),
        f"{claim.id} {_tiers(claim)}",
        (Quote(claim.quote, "zh-Hant-TW"), Quote(claim.english, "en"), Facts(tuple(items))),
    )


def _inputs(seen: Evidence) -> Line:
    parts: list[Line] = []
    for found in seen.inputs:
        best = found.best
        if best is not None:
            of = f", best of {len(found.rows)} rows" if len(found.rows) > 1 else ""
            value = format_value(best.metric, best.value or 0.0)
            parts.append((f"{found.input.name} {value}{of} (", Code(best.case), ")"))
    return joined(parts, "; ", ".") if parts else ("none of its inputs.",)


def _missing(seen: Evidence) -> Line:
    parts: list[Line] = [(f"{need.name} (", Code(need.select), ")") for need in seen.missing]
    if seen.claim.model:
        parts.append((f"the model ({seen.claim.model})",))
    return joined(parts, ", ", ".") if parts else ("nothing.",)
