"""Changing an assumption: the option, and the effect on the named claims."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path

import pytest
from gpu_box import make_box, make_row
from hypothesis import given as property_of
from hypothesis import strategies as st

from membench.cli import main
from membench.core.errors import MembenchError
from membench.core.terms import ClaimClass, ClaimVerdict, Metric
from membench.results.schema import Row
from membench.results.table import write_rows
from membench.thesis.claims.assumptions import shipped
from membench.thesis.claims.given import assumed, given, idle, text_of, waited_for
from membench.thesis.claims.kinds import EvidenceKind
from membench.thesis.claims.ledger import ledger
from membench.thesis.claims.scenario import subjects
from membench.thesis.claims.verdicts import MachineClaim, Verdicts, judge_point, verdicts

TODAY = date(2026, 11, 28)
SHIPPED = shipped()
WAITED = waited_for(ledger(), SHIPPED)
CPU = [make_row("ddr/read/size=256MiB", Metric.BANDWIDTH, 25.0, backend="cpu", device="CPU")]


def one(text: str) -> tuple[float, float, float, str]:
    name = text.partition("=")[0].strip()
    entry = given([text], SHIPPED, WAITED, TODAY)[name]
    assert entry.own
    assert entry.date == TODAY
    return entry.value, entry.low, entry.high, entry.unit


def test_a_value_keeps_unit_and_relative_range() -> None:
    assert one("system.link=50") == (50, 12, 200, "GB/s")
    assert one("system.link = 0.05 TB/s") == (0.05, 0.012, 0.2, "TB/s")
    assert one("system.link=40..60 GB/s") == (50, 40, 60, "GB/s")
    assert (
        one("record.rubin.volume_start=2027.1")
        == pytest.approx((2027.1, 2027.0, 2027.25, "year"), abs=1e-6)
        or one("record.rubin.volume_start=2027.1")[3] == "year"
    )
    assert one("system.hbm_share=1")[2] == 1
    assert one("record.tsmc.n2_share_2026=0.04 share") == (0.04, 0.04, 0.04, "share")
    assert one("measurement.gemm=700 TFLOP/s") == (700, 700, 700, "TFLOP/s")


def test_the_kind_of_evidence_can_be_said() -> None:
    name = "record.tsmc.capex_2026"
    before = SHIPPED[name]
    entries = given([f"{name}=56 as measured elsewhere"], SHIPPED, WAITED, TODAY)
    assert entries[name].evidence_kind is EvidenceKind.ELSEWHERE
    assert entries[name].source.endswith(before.source)
    assert given([f"{name}=56"], SHIPPED, WAITED, TODAY)[name].evidence is before.evidence


@property_of(
    st.sampled_from(sorted(SHIPPED)),
    st.floats(0.01, 1),
    st.sampled_from([None, *EvidenceKind]),
)
def test_what_is_written_for_an_entry_is_read_as_it(
    name: str, factor: float, kind: EvidenceKind | None
) -> None:
    entry = SHIPPED[name]
    value = entry.value * factor if entry.unit != "year" else entry.value + factor
    read = given([text_of(entry, value, kind)], SHIPPED, WAITED, TODAY)[name]
    assert read.value == pytest.approx(value, rel=1e-5)
    assert read.unit == entry.unit
    assert read.low <= read.value <= read.high
    assert read.evidence is (kind or entry.evidence)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("system.link", "is not NAME=VALUE", "such as system.link=50"),
        ("system.link=fast", "is not NAME=VALUE", "such as"),
        ("system.links=50", "unknown assumption 'system.links'", "mean system.link "),
        ("hope=1", "unknown assumption 'hope'", "docs/thesis.md"),
        (
            "system.link=50 GB",
            "a value in GB cannot replace a value in GB/s",
            "give the value in GB/s",
        ),
        ("system.link=50 parsec", "unit 'parsec' is not known", "known units"),
        (
            "system.link=0",
            "not finite numbers in the order 0 < low <= value <= high",
            "numbers above 0",
        ),
        ("system.link=60..40", "not finite numbers in the order 0 < low <= value <= high", ""),
        ("system.hbm_share=2", "a share must not be above 1, but high is 2", ""),
        ("system.link=50 as hearsay", "'hearsay' is not a kind of evidence", "measured here, "),
        ("measurement.gemm=700", "has no unit", "measurement.gemm='700 GFLOP/s'"),
        ("measurement.gemm=700 GB/s", "cannot replace a value in GFLOP/s or TFLOP/s", "TFLOP/s"),
        ("system.link=50\x1b[31m", "is not NAME=VALUE", ""),
    ],
)
def test_what_cannot_be_read_is_one_line(text: str, message: str, hint: str) -> None:
    with pytest.raises(MembenchError) as refused:
        given([text], SHIPPED, WAITED, TODAY)
    assert message in str(refused.value)
    assert hint in (refused.value.hint or "")
    assert str(refused.value).isprintable()


def words(found: Verdicts) -> dict[str, ClaimVerdict]:
    (subject,) = found.subjects
    claims = {result.claim.id: result.word for result in subject.claims}
    parts = {part.part.id: part.word for result in subject.claims for part in result.parts}
    return {**parts, **claims}


def named(found: Verdicts) -> set[str]:
    """The ids of testable claims without a decisive assumption."""
    (subject,) = found.subjects
    return {
        result.claim.id
        for result in subject.claims
        if result.assume is None
        and any(part.cls is not ClaimClass.OUT_OF_SCOPE for part in result.claim.parts)
    }


def test_every_claim_names_an_assumption_or_what_measures_it() -> None:
    found = verdicts(CPU, draws=60)
    now = words(found)
    assert named(found) <= {"C27"}  # no assumption affects C27
    for result in found.subjects[0].claims:
        if result.assume is not None:
            assert result.assume.becomes is not now[result.assume.moves]
            assert result.assume.command.count("--assume") == len(result.assume.options)
        elif result.claim.id == "C27":
            assert result.measure


@pytest.mark.slow
@pytest.mark.parametrize("rows", [CPU, make_box({})], ids=["CPU machine", "GPU box"])
def test_the_named_assumption_moves_every_claim(rows: list[Row]) -> None:
    before = verdicts(rows)
    now = words(before)
    assert named(before) <= {"C13", "C27"}
    for result in before.subjects[0].claims:
        if result.assume is None:
            continue
        # This claim is judged again alone, with the text of the option as input.
        entries = assumed(None, result.assume.options, TODAY)
        scenario = next(iter(subjects(ledger(), entries, rows, before.draws, 1).values()))
        again = judge_point(MachineClaim(result.claim, scenario, entries))
        after = {part.part.id: part.word for part in again.parts} | {again.claim.id: again.word}
        assert now[result.assume.moves] is not result.assume.becomes
        assert after[result.assume.moves] is result.assume.becomes


def test_the_kind_that_a_reader_gives_decides_a_claim() -> None:
    options = ["record.tsmc.capex_2026=56 as measured elsewhere"]
    found = verdicts(CPU, assume=options, today=TODAY, draws=20)
    assert words(found)["C19"] is ClaimVerdict.CONTRADICTED


@pytest.mark.slow
def test_the_command_that_a_report_names_can_be_run(tmp_path: Path) -> None:
    write_rows(tmp_path / "mybox.csv", CPU)

    def report(command: str) -> dict[str, dict[str, object]]:
        words = shlex.split(command.replace("mybox.csv", str(tmp_path / "mybox.csv")))
        output = tmp_path / "verdicts.json"
        arguments = [str(output) if word == "verdicts.json" else word for word in words[1:]]
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
        (subject,) = json.loads(output.read_text(encoding="utf-8"))["subjects"]
        return {claim["id"]: claim for claim in subject["claims"]}

    first = report("membench report mybox.csv -o verdicts.json")
    assume = first["C19"]["assume"]
    assert isinstance(assume, dict)
    assert first["C19"]["verdict"] == "inconclusive"
    after = report(assume["command"])
    assert after["C19"]["verdict"] == assume["becomes"] == "contradicted"
    assert after["C19"]["badges"] == ["own assumptions"]
    measure = first["C13"]["measure"]
    assert isinstance(measure, list)
    assert measure[-1] == "membench report mybox.csv other.csv -o verdicts.json"
    assert all("hbm/read" in line for line in measure[:-1])


def test_awaited_records_are_those_that_no_entry_gives() -> None:
    told = ledger()
    assert set(told.awaited) == told.names - SHIPPED.keys()
    for name, record in told.awaited.items():
        given([f"{name}={record.example} {record.unit}"], SHIPPED, WAITED, TODAY)
    for name, need in told.inputs.items():
        if need.machines == 1:
            given([f"measurement.{name}={need.typical}"], SHIPPED, WAITED, TODAY)


def test_a_measurement_that_a_row_gives_is_said_to_be_assumed_in_vain() -> None:
    texts = ["measurement.ddr-read=30 GB/s", "measurement.gemm=700 TFLOP/s", "system.link=50"]
    entries = given(texts, SHIPPED, WAITED, TODAY)
    ((problem, hint),) = idle(entries, CPU)
    assert problem.startswith("the assumption measurement.ddr-read has no effect, because ddr/")
    assert hint
    assert list(idle(entries, [])) == []
