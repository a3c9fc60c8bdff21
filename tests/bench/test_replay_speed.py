"""Time of a replay, relative to one capacity of an LRU library on the same references.

``pytest tests/bench/test_replay_speed.py --benchmark-enable`` shows the two rows of a trace side by
side. The library reads its fastest file format, without Python in its loop. The library replays
block LRU at one capacity. membench replays prefix LRU at all capacities in one pass.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import libcachesim
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import Trace
from membench.thesis.replay.traces import read_trace

pytestmark = pytest.mark.slow

SESSIONS = 8  # sessions of the agent trace, a short replay for a test
ENTRY = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


def references(trace: Trace, path: Path) -> str:
    """Write the blocks of ``trace`` in order as an oracleGeneral file of libcachesim."""
    spans = trace.last - trace.first + 1
    ends = np.cumsum(spans)
    within = np.arange(ends[-1]) - np.repeat(ends - spans, spans)
    scopes = np.repeat(trace.session, np.diff(trace.offsets))
    entries = np.zeros(ends[-1], ENTRY)
    entries["id"] = np.repeat((scopes << 32) + trace.first, spans) + within
    entries["size"] = 1
    entries["next"] = -1
    entries.tofile(path)
    return str(path)


@pytest.fixture(scope="module", params=["conversation", "agent"])
def trace(request: pytest.FixtureRequest) -> Trace:
    whole = read_trace(request.param)
    if not whole.sessions:
        return whole
    return whole.take(np.flatnonzero(whole.session < SESSIONS))


def test_all_capacities_in_one_pass(benchmark: BenchmarkFixture, trace: Trace) -> None:
    found = benchmark(replay, trace)
    benchmark.extra_info["references"] = trace.references
    assert found.curve.references == trace.references


def test_one_capacity_of_libcachesim(
    benchmark: BenchmarkFixture, trace: Trace, tmp_path: Path
) -> None:
    path = references(trace, tmp_path / "trace.oracleGeneral.bin")
    form = libcachesim.TraceType.ORACLE_GENERAL_TRACE

    def run() -> float:
        reader = libcachesim.TraceReader(path, form)
        misses, _ = libcachesim.LRU(10_000).process_trace(reader)
        return float(misses)

    misses = benchmark(run)
    benchmark.extra_info["references"] = trace.references
    assert 0 < misses < 1


@pytest.mark.parametrize("name", ["conversation", "agent"])
def test_whole_command(benchmark: BenchmarkFixture, name: str) -> None:
    """Includes the start of the process. The goals are 1 s and 3 s."""

    def run() -> str:
        command = [sys.executable, "-m", "membench", "replay", name, "--format", "csv"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert benchmark(run).endswith("\n")
