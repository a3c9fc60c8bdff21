"""Claims: loaded only with their origin, and judged no further than what was measured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from membench.record.schema import Row
from membench.terms import BETTER, UNIT, Metric, Stat, Status, Tier
from membench.thesis.claims import Claim, ClaimsError, Kind, claims, parse_claims
from membench.thesis.evidence import Word, evidence

ENTRY = """
[[claim]]
id = "C1"
tiers = ["ssd"]
kinds = ["measurement"]
quote = "SSD"
english = "SSD"
source = "a report"
date = 2026-01-21
proposition = "it is so"
decided_by = "a number"

[[claim.input]]
name = "reads"
select = "ssd/read"
metric = "bandwidth"
part = "SSD"
"""


def test_an_entry_says_who_said_it_and_when() -> None:
    (claim,) = parse_claims(ENTRY)
    assert (claim.source, claim.date) == ("a report", dt.date(2026, 1, 21))
    assert claim.inputs[0].stat is Stat.MEDIAN


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ('source = "a report"\n', "", "claim C1: 'source' is missing or empty"),
        ('source = "a report"', 'source = ""', "claim C1: 'source' is missing or empty"),
        ("date = 2026-01-21\n", "", "claim C1: 'date' is missing or empty"),
        ("date = 2026-01-21", 'date = "January"', "claim C1: 'date' must be a date"),
        ("date = 2026-01-21", "date = 2026-01-21T10:00:00", "claim C1: 'date' must be a date"),
        ('quote = "SSD"\n', "", "claim C1: 'quote' is missing"),
        ('quote = "SSD"', "quote = 7", "claim C1: 'quote' must be text"),
        ('quote = "SSD"', 'quote = "SSD"\nbeliever = "me"', "'believer' is not a key"),
        ('tiers = ["ssd"]', 'tiers = ["tape"]', "claim C1: 'tape' is not a valid Tier"),
        ('kinds = ["measurement"]', 'kinds = ["hope"]', "'hope' is not a valid Kind"),
        ('metric = "bandwidth"', 'metric = "speed"', "'speed' is not a valid Metric"),
        ('select = "ssd/read"\n', "", "claim C1, an input: 'select' is missing"),
        ("[[claim]]", "[[claims]]", "must be [[claim]] tables and nothing else"),
        ('id = "C1"', "id = C1", "not TOML"),
    ],
)
def test_an_entry_that_does_not_stand_is_refused(line: str, instead: str, message: str) -> None:
    with pytest.raises(ClaimsError, match=r"\S") as caught:
        parse_claims(ENTRY.replace(line, instead, 1))
    assert message in str(caught.value)


def test_no_claim_stands_twice() -> None:
    with pytest.raises(ClaimsError, match="claim C1 stands twice"):
        parse_claims(ENTRY + ENTRY)


def test_what_is_shipped_tells_of_hbm_ddr_and_ssd() -> None:
    told = claims()
    assert {tier for claim in told for tier in claim.tiers} == {Tier.HBM, Tier.DDR, Tier.SSD}
    for claim in told:
        assert not claim.quote.isascii()
        assert claim.english.isascii()
        assert bool(claim.model) == (Kind.MODEL in claim.kinds)


def row(case: str, metric: Metric, value: float, **changes: Any) -> Row:
    values: dict[str, Any] = {
        "run_id": "r",
        "machine": "box",
        "tier": Tier.SSD,
        "case": case,
        "case_version": 1,
        "metric": metric,
        "stat": Stat.MEDIAN,
        "status": Status.OK,
        "value": value,
        "unit": UNIT[metric],
        "better": BETTER[metric],
        "backend": "storage",
    }
    return Row(**{**values, **changes})


@pytest.fixture
def shipped() -> Callable[[str], Claim]:
    """A claim that is shipped, by its id."""
    by_id = {claim.id: claim for claim in claims()}
    return lambda name: by_id[name]


def test_without_measurements_the_verdict_names_what_is_missing(
    shipped: Callable[[str], Claim],
) -> None:
    verdict = evidence(shipped("C13"), []).verdict
    assert (verdict.word, verdict.reason) == (Word.INCONCLUSIVE, "no GPU measurement")
    verdict = evidence(shipped("C16"), []).verdict
    assert verdict.reason == "no SSD measurement and no GPU measurement"


def test_what_a_record_decides_no_measurement_does(shipped: Callable[[str], Claim]) -> None:
    verdict = evidence(shipped("C14"), [row("hbm/read/size=1GiB", Metric.BANDWIDTH, 1)]).verdict
    assert verdict.word is Word.INCONCLUSIVE
    assert "public records" in verdict.reason


def test_inputs_are_found_and_the_best_of_them_named(shipped: Callable[[str], Claim]) -> None:
    rows = [
        row("ssd/read/block=4KiB", Metric.BANDWIDTH, 1.0),
        row("ssd/read/block=1MiB", Metric.BANDWIDTH, 3.0),
        row("ssd/read/block=1MiB", Metric.BANDWIDTH, 9.0, backend="cited"),
        row("ssd/reads/block=1MiB", Metric.BANDWIDTH, 9.0),
        row("ssd/read/block=4KiB", Metric.LATENCY, 9.0),
        row("ssd/read/block=4KiB", Metric.LATENCY, 200.0, stat=Stat.P99),
        row("ssd/read/block=1MiB", Metric.LATENCY, 300.0, stat=Stat.P99),
    ]
    seen = evidence(shipped("C15"), rows)
    bests = {found.input.name: found.best.value for found in seen.inputs if found.best}
    assert bests == {"SSD read bandwidth": 3.0, "SSD read latency, p99": 200.0}
    assert seen.verdict.reason == "no GPU measurement"


def test_even_with_all_inputs_no_verdict_goes_beyond_the_model() -> None:
    (claim,) = parse_claims(ENTRY)
    seen = evidence(claim, [row("ssd/read/block=4KiB", Metric.BANDWIDTH, 1.0)])
    assert not seen.missing
    assert seen.verdict.word is Word.INCONCLUSIVE
    assert "the model" in seen.verdict.reason


def test_a_claim_without_a_quantity_is_not_testable() -> None:
    (claim,) = parse_claims(ENTRY.replace('["measurement"]', '["none"]'))
    assert evidence(claim, []).verdict.word is Word.NOT_TESTABLE
