"""membench writes the scratch file only for cases that still have to run."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.core.terms import Metric, Stat, Status, Tier
from membench.core.units import GIB, MIB
from membench.host.storage.scratch import ScratchFile
from membench.measure.events import Silent
from membench.measure.paired.turns import _laid_out
from membench.measure.scratch_layout import ScratchLayout, _affordable, laid_out, scratch_size
from membench.results.case_result import CaseResult
from membench.results.journal.reading import Contents
from membench.results.plan import Plan, PlannedCase


def planned(scratch: Path, skipped: str = "") -> Plan:
    case = PlannedCase(
        id="ssd/read/n=1",
        bench="ssd/read",
        params={},
        version=1,
        tier=Tier.SSD,
        yields=((Metric.BANDWIDTH, Stat.MEDIAN),),
        seconds=0.1,
        memory=0,
        disk=16 * MIB,
        backend="storage",
        skipped=skipped,
    )
    return Plan(
        run_id="20260101T000000Z-0000",
        machine="box",
        profile="quick",
        rounds=2,
        seed=1,
        timeout=10.0,
        device="auto",
        software="0.1.0",
        argv=(),
        started="2026-01-01T00:00:00Z",
        cases=(case,),
        scratch=str(scratch),
        disk_budget=64 * MIB,
    )


def unit(round_: int, status: Status = Status.OK) -> CaseResult:
    return CaseResult(
        round=round_, case="ssd/read/n=1", status=status, started="2026-01-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("done", "skipped", "wanted"),
    [
        ([], "", True),
        ([unit(1)], "", True),
        ([unit(1), unit(2)], "", False),
        ([unit(1, Status.FAILED)], "", False),
        ([], "no disk", False),
    ],
)
def test_a_file_is_wanted(
    done: list[CaseResult], skipped: str, wanted: bool, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"  # a missing directory, so that writing the file would fail
    plan = planned(nowhere, skipped)
    with laid_out(plan, scratch_size(plan, done), Silent()) as layout:
        assert layout.scratch is None
        assert bool(layout.problem) == wanted


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([unit(1), unit(2)], [unit(1), unit(2)], False),
        ([unit(1), unit(2)], [unit(1)], True),
        ([unit(1, Status.FAILED)], [unit(1), unit(2)], False),
        ([], [], True),
    ],
)
@pytest.mark.parametrize("other", ["nowhere", "elsewhere"])
def test_a_resumed_pair_gets_a_file_only_for_a_side_that_needs_one(
    first: list[CaseResult], second: list[CaseResult], wanted: bool, other: str, tmp_path: Path
) -> None:
    plans = [planned(tmp_path / "nowhere"), planned(tmp_path / other)]
    done = [
        Contents(plan, {}, units=tuple(units))
        for plan, units in zip(plans, (first, second), strict=True)
    ]
    with ExitStack() as opened:
        layouts: list[ScratchLayout] = _laid_out(opened, plans, done, Silent())
        assert any(layout.problem for layout in layouts) == wanted


@pytest.mark.parametrize(("place", "reaches"), [("nowhere", True), ("/dev/shm", False)])
def test_where_no_disk_is_reached_its_cases_are_skipped_and_not_failed(
    place: str, reaches: bool, tmp_path: Path
) -> None:
    with laid_out(planned(tmp_path / place), 16 * MIB, Silent()) as layout:
        assert layout.problem
        assert layout.reaches == reaches


@pytest.mark.parametrize(("free", "size"), [(2 * GIB, 1024), (2 * GIB - 4096, 1020), (MIB, 1024)])
def test_what_became_less_since_the_plan_was_made_cuts_the_file_once_more(
    free: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def nearly(path: Any) -> os.statvfs_result:
        fields = list(real(path))
        fields[4] = free // fields[1]  # f_bavail, in units of f_frsize
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "statvfs", nearly)
    plan = replace(planned(tmp_path), disk_budget=2 * GIB)
    assert _affordable(GIB, plan) == size * MIB


class FakeFile:
    """A scratch file that notes when it is closed. Closing waits for ``free``."""

    scratch = None

    def __init__(self, free: threading.Event, closed: list[FakeFile]) -> None:
        self.free, self.closed = free, closed

    def close(self) -> None:
        assert self.free.wait(10)
        self.closed.append(self)


def test_a_file_is_closed_also_if_no_thread_can_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, closed = threading.Event(), list[FakeFile]()
    free.set()
    monkeypatch.setattr(ScratchFile, "create", lambda *_, **__: FakeFile(free, closed))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with laid_out(planned(tmp_path), 16 * MIB, Silent()):
        assert closed == []
    assert len(closed) == 1


def test_the_next_file_is_made_when_the_last_one_has_been_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, closed = threading.Event(), list[FakeFile]()

    def create(*_: object, **__: object) -> FakeFile:
        made.append(len(closed))
        return FakeFile(free, closed)

    made: list[int] = []
    monkeypatch.setattr(ScratchFile, "create", create)
    with laid_out(planned(tmp_path), 16 * MIB, Silent()):
        pass
    assert closed == []
    threading.Timer(0.05, free.set).start()
    with laid_out(planned(tmp_path), 16 * MIB, Silent()):
        assert made == [0, 1]
