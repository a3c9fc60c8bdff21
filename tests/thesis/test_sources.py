"""The ledger of assumptions: every figure has a source and a date."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from membench.thesis.claims.assumptions import (
    OLD_DAYS,
    Assumption,
    EntryKind,
    is_old,
    shipped,
)
from membench.thesis.claims.kinds import EvidenceKind

_CITED = re.compile(
    r"\b(?P<host>(?:[a-z0-9-]+\.)+(?:com|ai|org|net|network|fyi|blog|report|app|io|kr|store|jp))\b"
    r"(?: (?P<page>[\w./-]*[\d-][\w./-]*))?"
)
"""A host name, and optionally a page of the host: a slug or a number."""


def citations(source: str) -> set[tuple[str, str]]:
    return {(found["host"], found["page"] or "") for found in _CITED.finditer(source)}


def disagreements(entries: Iterable[Assumption]) -> list[str]:
    """Sources that two figures cite differently.

    Either every figure of a host names a page, or no figure of the host names a page. Figures that
    cite only one common page have the same date.
    """
    pages: dict[str, set[str]] = defaultdict(set)
    dates: dict[tuple[str, str], set[date]] = defaultdict(set)
    for entry in entries:
        cited = citations(entry.source)
        for host, page in cited:
            pages[host].add(page)
        if len(cited) == 1 and entry.kind is not EntryKind.PRICE:
            (one,) = cited
            dates[one].add(entry.date)
    bare = [host for host, found in pages.items() if "" in found and len(found) > 1]
    moved = [" ".join(cited) for cited, found in dates.items() if cited[1] and len(found) > 1]
    return sorted([*bare, *moved])


def test_no_source_is_cited_in_two_ways() -> None:
    assert disagreements(shipped().values()) == []


@pytest.mark.parametrize(
    ("source", "day", "complaint"),
    [
        ("kad8.com", date(2026, 11, 22), "kad8.com"),
        (
            "kad8.com nvidia-vera-rubin-the-six-chip-platform",
            date(2026, 1, 5),
            "kad8.com nvidia-vera-rubin-the-six-chip-platform",
        ),
    ],
)
def test_a_source_that_two_figures_cite_differently_is_found(
    source: str, day: date, complaint: str
) -> None:
    entries = shipped()
    changed = replace(entries["device.rubin.nvlink"], source=source, date=day)
    assert disagreements({**entries, changed.name: changed}.values()) == [complaint]


def test_no_source_refers_to_another_entry_without_naming_it() -> None:
    for entry in shipped().values():
        assert "same page" not in entry.source
        assert "see above" not in entry.source


def test_every_record_says_what_kind_of_evidence_it_is() -> None:
    records = [entry for entry in shipped().values() if entry.kind is EntryKind.RECORD]
    assert all(entry.evidence is not None for entry in records)
    kinds = {entry.name: entry.evidence_kind for entry in shipped().values()}
    assert kinds["device.rubin.fp4"] is EvidenceKind.VENDOR
    assert kinds["system.link"] is EvidenceKind.MODEL
    assert kinds["workload.agent.gap"] is EvidenceKind.ELSEWHERE
    assert kinds["price.essd"] is EvidenceKind.FORECAST
    assert kinds["record.tsmc.capex_2026"] is EvidenceKind.FORECAST


def test_a_figure_is_old_after_half_a_year() -> None:
    entry = shipped()["record.tsmc.capex_2026"]
    assert not is_old(entry, entry.date + timedelta(days=OLD_DAYS))
    assert is_old(entry, entry.date + timedelta(days=OLD_DAYS + 1))


def test_facts_of_2026_are_those_that_were_published() -> None:
    entries = shipped()
    # TSMC, 2026-04-16: 52 to 56 billion USD; the entry has the upper end.
    capex = entries["record.tsmc.capex_2026"]
    assert (capex.value, capex.high, capex.date) == (56, 56, date(2026, 4, 16))
    # 30.72 TB for 10,950 USD in 1Q26, then +70 to 75 % in 2Q26.
    flash = entries["price.essd"]
    assert flash.low == pytest.approx(10950 / 30720, abs=0.001)
    assert flash.low * 1.70 < flash.value < flash.high <= flash.low * 1.751
    # CoWoS wafers: 670 thousand in 2025, 1.0 million in 2026; DIGITIMES reports +48 %.
    demand = entries["record.cowos.demand_2026"].value / entries["record.cowos.demand_2025"].value
    assert demand - 1 == pytest.approx(0.49, abs=0.01)
    assert entries["record.cowos.growth_2026"].value == 0.48
    assert entries["record.hbm.price_year"].low == 0.7
