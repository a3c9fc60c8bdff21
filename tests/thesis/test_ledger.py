"""The ledger: 27 claims. Each claim has an origin, and a rule or a reason for the missing rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from gpu_box import make_box, make_row

from membench.benches import registry
from membench.core.errors import UsageError
from membench.core.terms import ClaimClass, ClaimVerdict, Metric
from membench.thesis.claims.assumptions import shipped
from membench.thesis.claims.commands import measuring
from membench.thesis.claims.device_names import device_key
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.ledger import LedgerError, Part, ledger, parse_ledger
from membench.thesis.claims.scenario import Scenario, subjects
from membench.thesis.claims.statistics import STATISTICS
from membench.thesis.claims.verdicts import verdicts

SMALL = """
[report]
source = "a report"
date = 2026-01-21

[input.reads]
what = "reads"
select = ["ssd/read"]
metric = "bandwidth"
part = "SSD"

[[claim]]
id = "C01"
tiers = ["ssd"]
quote = "SSD"
english = "SSD"
quantity = "10x"

[[claim.part]]
class = "M"
proposition = "it is so"
decided_by = "a number"
statistic = "number"
direction = "higher"
supports = 2
contradicts = 1
measurements = ["reads"]
"""


def test_all_27_claims_stand_there() -> None:
    told = ledger()
    assert [claim.id for claim in told.claims] == [f"C{number:02}" for number in range(1, 28)]
    for claim in told.claims:
        assert not claim.quote.isascii()
        assert claim.english.isascii()
        for part in claim.parts:
            undecided = part.thresholds is None
            assert undecided == (part.cls is ClaimClass.OUT_OF_SCOPE)
            assert part.waits_for or part.statistic in STATISTICS
    assert {part.statistic for part in told.parts} - {""} == set(STATISTICS)


def test_out_of_scope_says_why() -> None:
    (subject,) = verdicts([]).subjects
    outside = {
        result.claim.id for result in subject.claims if result.word is ClaimVerdict.NOT_TESTABLE
    }
    assert outside == {"C01", "C03", "C21", "C24", "C26"}
    for result in subject.claims:
        for part in result.parts:
            assert part.reason


def test_what_records_decide_as_shipped() -> None:
    (subject,) = verdicts([]).subjects
    words = {part.part.id: part.word for result in subject.claims for part in result.parts}
    decided = {name for name, word in words.items() if word in _DECIDED}
    assert decided == {"C08"}
    assert words["C08"] is ClaimVerdict.SUPPORTED
    whys = {part.part.id: part.why for result in subject.claims for part in result.parts}
    for names, why in {
        ("C05", "C06", "C07a", "C11a", "C14b", "C17c", "C18a"): "vendor figures alone",
        ("C19", "C20a", "C20b", "C23"): "forecasts alone",
        ("C02b", "C04a", "C11b", "C14a", "C25a"): "strata disagree",
        ("C10a", "C18b", "C22"): "no record",
        ("C02a", "C07c", "C09"): "",
    }.items():
        assert {whys[name] for name in names} == {why}
    notes = {result.claim.id: " ".join(result.claim.notes) for result in subject.claims}
    assert "Misattributed" in notes["C07"]
    assert "Superseded before publication" in notes["C19"]
    baselines = {
        variant.name: round(float(variant.draws[0]), 1)
        for result in subject.claims
        for part in result.parts
        if part.part.id == "C04a"
        for variant in part.variants
    }
    assert baselines["GB200 dense"] == 5.0
    assert baselines["B200 dense"] == 5.6
    assert baselines["GB200 sparse"] == 2.5


_DECIDED = (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED)


class _Seen(Mapping[str, Floats]):
    """Random draws of assumptions, with a record of the assumptions that were read."""

    def __init__(self, values: Mapping[str, Floats]) -> None:
        self.values_by_name = values
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Floats:
        self.read.add(name)
        return self.values_by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values_by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


@pytest.mark.parametrize("part", ledger().parts, ids=lambda part: part.id)
def test_a_statistic_reads_what_the_ledger_declares_and_all_of_it(
    part: Part,
) -> None:
    if not part.statistic or part.waits_for:
        return
    there = {"machine": "other", "run_id": "r-2", "device": "NVIDIA H200"}
    rows = make_box({})
    rows += make_box({"hbm-read": 1.43}, **there)
    rows += [make_row("decode/weights/batch=1", Metric.RATE, 100.0)]
    rows += [make_row("decode/weights/batch=1", Metric.RATE, 140.0, **there)]
    scenario = subjects(ledger(), shipped(), rows, 20, 1)["box"]
    seen = _Seen(scenario.values)
    watched: Scenario = replace(scenario, values=seen)
    drawn = STATISTICS[part.statistic](watched)
    assert all(np.isfinite(draws).all() for draws in drawn.values())
    devices = {device_key(scenario.device, what) for what in part.device}
    declared = {*part.measurements, *part.assumptions, *devices}
    if part.id == "C27":  # any row with a peak
        assert seen.read <= declared
    else:
        assert seen.read == declared


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ('source = "a report"', "", "[report] has no source"),
        ("date = 2026-01-21", 'date = "January"', "no date such as"),
        ('quote = "SSD"\n', "", "claim C01: 'quote' is missing"),
        ('quote = "SSD"', "quote = 7", "claim C01: 'quote' must be text"),
        ('quantity = "10x"', 'quantity = "10x"\nbeliever = "me"', "'believer' is not a known key"),
        ('tiers = ["ssd"]', 'tiers = ["tape"]', "claim C01: 'tape' is not a valid Tier"),
        ('tiers = ["ssd"]', 'tiers = "ssd"', "claim C01: 'tiers' must be a list"),
        ('class = "M"', 'class = "Q"', "C01: 'Q' is not a valid ClaimClass"),
        ('proposition = "it is so"', "", "C01: 'proposition' is missing"),
        ('direction = "higher"', 'direction = "lower"', "do not fit the direction"),
        ('direction = "higher"', "", "C01: direction, supports and contradicts"),
        ('statistic = "number"', "", "C01: direction, supports and contradicts"),
        ("contradicts = 1", "contradicts = 1\nshare = 0.5", "both verdicts could be true"),
        ('measurements = ["reads"]', 'measurements = ["writes"]', "there is no input 'writes'"),
        ("contradicts = 1", 'contradicts = 1\nrests_on = ["hope"]', "has the unused input 'hope'"),
        ('metric = "bandwidth"', 'metric = "speed"', "input reads: 'speed' is not a valid Metric"),
        ('select = ["ssd/read"]', 'select = "ssd/read"', "input reads: 'select' must be a list"),
        ('id = "C01"', 'id = "one"', "an id must be C and two digits"),
        ("[report]", "[reports]", "unknown table 'reports'"),
        ('id = "C01"', "id = C01", "not TOML"),
    ],
)
def test_a_ledger_that_does_not_stand_is_refused(line: str, instead: str, message: str) -> None:
    assert line in SMALL
    with pytest.raises(LedgerError, match=re.escape(message)):
        parse_ledger(SMALL.replace(line, instead, 1))


def test_a_part_without_rule_or_reason_is_refused() -> None:
    text = SMALL
    for key in ("statistic", "direction", "supports", "contradicts"):
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE)
    with pytest.raises(LedgerError, match="has no statistic, and 'waits_for' does not say why"):
        parse_ledger(text)
    assert parse_ledger(text + 'waits_for = "nobody counts"\n').parts[0].thresholds is None


@pytest.mark.parametrize("instead", ["", "claim = []", "claim = 1"])
def test_a_ledger_without_claims_is_refused(instead: str) -> None:
    (head, _) = SMALL.split("[[claim]]")
    with pytest.raises(LedgerError, match="the ledger has no claims"):
        parse_ledger(instead + head)


def test_no_part_is_left_out() -> None:
    (head, part) = SMALL.split("[[claim.part]]")
    eight = head + 8 * f"[[claim.part]]{part}\n"
    assert [one.id for one in parse_ledger(eight).parts] == [f"C01{one}" for one in "abcdefgh"]
    with pytest.raises(LedgerError, match="C01: more than 8 parts"):
        parse_ledger(f"{eight}[[claim.part]]{part}")


def test_no_claim_stands_twice() -> None:
    (_, claim) = SMALL.split("[[claim]]")
    with pytest.raises(LedgerError, match="duplicate claim id: C01"):
        parse_ledger(f"{SMALL}\n[[claim]]{claim}")


def test_a_claim_is_found_by_its_id_or_that_of_a_part() -> None:
    told = ledger()
    assert told.claim("c13").id == told.claim("C13a").id == "C13"
    for name in ("C99", "C01h", "C13A1", ""):
        with pytest.raises(UsageError, match=f"no claim '{name}'"):
            told.claim(name)


def test_the_command_that_measures_an_input_has_a_profile_with_the_input() -> None:
    benches = registry().benches.values()
    for need in ledger().inputs.values():
        start = need.select[0].partition("*")[0].rstrip("/")
        quick = any("quick" in one.profiles for one in benches if one.name.startswith(start))
        assert need.full is not quick, need.name
    (run, _) = measuring(ledger(), ledger().claim("C16").parts)
    assert run.startswith("membench run --profile full --select ")
