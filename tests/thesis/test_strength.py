"""The strength of a verdict: vendor figures and forecasts alone decide no verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from gpu_box import make_box, make_row

from membench.core.terms import ClaimVerdict, Metric
from membench.report.page.document import Definitions
from membench.report.page.sections import claims as claims_page
from membench.results.schema import Row
from membench.thesis.claims.assumptions import Assumption, shipped
from membench.thesis.claims.judging import PartVerdict, judge_part
from membench.thesis.claims.kinds import DECIDING, EvidenceKind
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.scenario import subjects
from membench.thesis.claims.strength import kind_of_row
from membench.thesis.claims.verdicts import verdicts

PARTS = {part.id: part for part in ledger().parts}
CIRCLES = ("C05", "C06", "C11a", "C18a", "C20a")
"""Parts of claims whose figures come from the author of the claim."""


def judged(name: str, entries: dict[str, Assumption]) -> PartVerdict:
    scenario = next(iter(subjects(ledger(), entries, [], 60, 1).values()))
    return judge_part(PARTS[name], scenario, entries)


def as_measured(names: Iterable[str]) -> dict[str, Assumption]:
    entries = shipped()
    changed = {name: replace(entries[name], evidence=EvidenceKind.ELSEWHERE) for name in names}
    return {**entries, **changed}


@pytest.mark.parametrize("name", [*CIRCLES, "C14b", "C17c", "C19", "C20b", "C23"])
def test_what_only_a_vendor_or_a_forecast_says_stays_open(name: str) -> None:
    part = PARTS[name]
    found = judged(name, shipped())
    assert found.word is ClaimVerdict.INCONCLUSIVE
    assert found.why in ("vendor figures alone", "forecasts alone")
    assert found.judgement is not None
    assert found.judgement.word is not ClaimVerdict.INCONCLUSIVE
    assert "rests only on" in found.reason
    assert found.flip is None
    # The same values decide the part if somebody else measured them.
    again = judged(name, as_measured(part.rests_on or part.assumptions))
    assert again.word is found.judgement.word
    assert again.why == ""


def test_no_decided_verdict_rests_on_weak_kinds_alone() -> None:
    found = verdicts(make_box({}), draws=20)
    decided = [
        part
        for subject in found.subjects
        for result in subject.claims
        for part in result.parts
        if part.word in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)
    ]
    assert decided
    assert all(DECIDING & set(part.kinds) for part in decided)


def test_an_auxiliary_figure_does_not_make_the_evidence_stronger() -> None:
    """C07a depends on announcements. The lifetime of a GPU generation does not confirm C07a."""
    found = judged("C07a", as_measured(["record.token.generation"]))
    assert EvidenceKind.ELSEWHERE in found.kinds
    assert (found.word, found.why) == (ClaimVerdict.INCONCLUSIVE, "vendor figures alone")


@pytest.mark.parametrize(
    ("backend", "kind", "expected"),
    [
        ("cuda", "", EvidenceKind.HERE),
        ("nvbandwidth", "", EvidenceKind.HERE),
        ("cited", "measured", EvidenceKind.ELSEWHERE),
        ("cited", "", EvidenceKind.ELSEWHERE),
        ("cited", "derived", EvidenceKind.MODEL),
        ("cited", "datasheet", EvidenceKind.VENDOR),
    ],
)
def test_a_cited_figure_is_what_its_source_is(
    backend: str, kind: str, expected: EvidenceKind
) -> None:
    row = make_row("ssd/read", Metric.BANDWIDTH, 14.0, backend=backend, detail={"kind": kind})
    assert kind_of_row(row) is expected


def test_the_newest_date_of_what_was_read_stands_beside_a_verdict() -> None:
    found = judged("C19", shipped())
    assert found.as_of is not None
    assert found.as_of.isoformat() == "2026-04-16"


class TestBorrowing:
    """Only the claims C13, C15 and C17 use rows of other machines."""

    def test_a_drive_of_another_file_answers_for_a_gpu_box(self) -> None:
        box = [row for row in make_box({}) if not row.case.startswith("ssd/")]
        drive = make_row(
            "ssd/read/pattern=seq/block=1MiB/qd=8",
            Metric.BANDWIDTH,
            14.0,
            machine="drive",
            run_id="r-3",
            backend="cited",
            device="a drive",
            detail={"kind": "datasheet"},
        )
        found = borrowed("C15b", [*box, drive])
        assert found.word is ClaimVerdict.SUPPORTED
        assert found.note == f"{drive.case} comes from drive."
        assert EvidenceKind.VENDOR in found.kinds
        assert borrowed("C15b", box).why == "no data"

    def test_figures_of_one_gpu_do_not_answer_for_another(self) -> None:
        box = [row for row in make_box({}) if not row.case.startswith("gpu/gemm")]
        there = {"machine": "other", "run_id": "r-2", "device": "NVIDIA A100"}
        assert borrowed("C15b", [*box, *make_box({}, **there)]).why == "no data"

    def test_a_machine_without_a_gpu_borrows_all_of_one(self) -> None:
        host = make_row(
            "ddr/read/size=256MiB",
            Metric.BANDWIDTH,
            300.0,
            machine="host",
            backend="cpu",
            device="a CPU",
        )
        found = borrowed("C17b", [host, *make_box({})])
        assert {row.machine for row in found.rows["gemm"]} == {"box"}
        assert {row.machine for row in found.rows["ddr-read"]} == {"host"}
        assert found.word is ClaimVerdict.CONTRADICTED

    def test_three_claims_borrow(self) -> None:
        assert [claim.id for claim in ledger().claims if claim.borrows] == ["C13", "C15", "C17"]


def borrowed(name: str, rows: Sequence[Row]) -> PartVerdict:
    """The verdict on a part of a claim for the first machine, with rows of the other machines."""
    scenario = next(iter(subjects(ledger(), shipped(), rows, 20, 1).values()))
    return judge_part(PARTS[name], scenario.borrowing(), shipped())


def test_missing_inputs_may_change_a_verdict_whose_known_evidence_is_weak() -> None:
    found = verdicts([], draws=60)
    claims = {section.anchor: section for section in claims_page.section(found, full=True).sections}

    def change(anchor: str) -> str:
        (items,) = (one.items for one in claims[anchor].blocks[:3] if isinstance(one, Definitions))
        return str(dict(items)["What would change the verdict"])

    assert "the missing inputs may change it" in change("claim-c04")
    assert "only another kind of evidence" in change("claim-c05")
