"""Outputs of six fio releases in all formats: the imported values fit each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading_files import DATA, imported, values

from membench.core.terms import Stat

FIO = DATA / "fio"
PLAIN = sorted(path for path in FIO.iterdir() if path.name.count(".") <= 3)
FORMS = [
    path for path in PLAIN if not any(word in path.name for word in ("lat", "uni", "sta", "fs"))
]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_bandwidth_operations_and_latencies_fit_together(path: Path) -> None:
    found = imported("fio", path)
    assert not found.unplaced
    by = {(row.case, str(row.metric), str(row.stat)): row.value or 0 for row in found}
    cases = {case for case, _, _ in by}
    assert len(cases) == 3
    for case in cases:
        block = 4096 if "r4k" in case or "4KiB" in case else 16384
        rate = by[case, "iops", "median"]
        # text has three or four digits, and terse has whole operations
        assert by[case, "bandwidth", "median"] * 1e9 == pytest.approx(rate * block, rel=0.06)
        quantiles = [by[case, "latency", stat] for stat in (Stat.P50, Stat.P95, Stat.P99)]
        assert quantiles == sorted(quantiles)
        # The limits in ns are 10 us and 100 ms. They detect an error by a factor of 1000.
        assert 1e4 < quantiles[0] < 1e8
        # at depth 1, the mean is close to the median
        assert quantiles[0] * rate < 1.3e9


@pytest.mark.parametrize("version", ["2.2.10", "2.21", "3.1", "3.10", "3.42"])
def test_json_bandwidth_is_that_of_its_bytes_and_time(version: str) -> None:
    content = json.loads((FIO / f"{version}.json").read_bytes())
    found = imported("fio", FIO / f"{version}.json")
    job = content["jobs"][0]["read"]
    (value,) = (row.value for row in found[:3] if row.metric == "bandwidth")
    moved = job["total_ios"] * 4096
    assert value == pytest.approx(moved / job["runtime"] / 1e6, rel=1e-3)
    ours = "ssd/read/pattern=rand/block=4KiB/qd=1/pages=4k"
    known = version != "2.2.10"  # fio 2.2.10 does not print the options
    assert found[0].case == (ours if known else "ssd/fio/job=r4k/op=read")
    assert found[0].started.startswith("2026-11-28T")


def test_a_later_state_takes_the_place_of_an_earlier_one() -> None:
    found = imported("fio", FIO / "3.33.status.json")
    documents = (FIO / "3.33.status.json").read_text().count('"fio version"')
    last = json.loads("{" + (FIO / "3.33.status.json").read_text().rpartition("\n}\n{")[2])
    assert documents == 3
    assert found[0].n == last["jobs"][0]["read"]["total_ios"]
    assert len(found) == 6


@pytest.mark.parametrize("version", ["3.10", "3.42"])
def test_quantiles_of_the_whole_latency_are_found_where_each_version_has_them(version: str) -> None:
    found = imported("fio", FIO / f"{version}.lat.json")
    assert {row.detail["latency"] for row in found if row.metric == "latency"} == {"lat"}


def test_reads_writes_and_both_together() -> None:
    found = values(imported("fio", FIO / "3.42.unified.json"), "iops")
    both = found["ssd/fio/job=u/op=mixed"] or 0
    apart = sum(found[f"ssd/fio/job=u/op={op}"] or 0 for op in ("read", "write"))
    assert both == pytest.approx(apart, rel=1e-3)


def test_syncs_are_timed_apart_and_writes_that_sync_are_not_ours() -> None:
    found = imported("fio", FIO / "3.42.fsync.json")
    assert {row.case for row in found} == {"ssd/fio/job=w/op=write", "ssd/fio/job=w/op=sync"}


def test_terse_and_text_of_a_job_that_failed() -> None:
    text = (FIO / "3.42.txt").read_text().replace("err= 0: pid", "err=28 (file:x, line 1): pid", 1)
    failed = imported("fio", text)[0]
    assert (failed.status, failed.reason) == ("failed", "fio reports: error 28")
    line = (FIO / "3.42.terse5").read_text().replace(";r4k;0;0;", ";r4k;0;5;")
    failed = imported("fio", line)[0]
    assert (failed.status, failed.reason) == ("failed", "fio reports: error 5")
