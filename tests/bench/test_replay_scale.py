"""How time and memory of a replay grow: one, 10 and 100 copies of the agent trace.

``pytest tests/bench/test_replay_scale.py -m "" --benchmark-enable`` prints time and memory for each
factor. Each copy has its own sessions, which start at random times. The number of concurrent
sessions grows with the factor. ``runs`` counts the runs of consecutive blocks in the trace.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.slow

MOST_BYTES = 8 * 2**30
SCRIPT = """
import resource, sys, time
from dataclasses import replace
import numpy as np
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import with_poisson_arrivals
from membench.thesis.replay.traces import read_trace

one, times = read_trace("agent"), int(sys.argv[1])
sessions = int(one.session.max()) + 1
trace = replace(
    one,
    session=np.concatenate([one.session + copy * sessions for copy in range(times)]),
    offsets=np.concatenate([[0], *(one.offsets[1:] + copy * one.runs for copy in range(times))]),
    **{
        name: np.tile(getattr(one, name), times)
        for name in ("arrival", "served", "prompt", "output", "nested", "first", "last")
    },
)
trace = with_poisson_arrivals(trace, 0.01 * times, 1)
begin = time.process_time()
found = replay(trace)
took = time.process_time() - begin
assert found.curve.references == times * one.references
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, trace.runs)
"""


@pytest.mark.parametrize("times", [1, 10, 100])
def test_the_agent_trace_many_times_over(benchmark: BenchmarkFixture, times: int) -> None:
    def run() -> str:
        command = [sys.executable, "-c", SCRIPT, str(times)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    said: str = benchmark.pedantic(run, rounds=1)  # type: ignore[no-untyped-call]
    seconds, held, runs = map(float, said.split())
    benchmark.extra_info.update(seconds=seconds, bytes=held, runs=runs)
    assert held < MOST_BYTES
