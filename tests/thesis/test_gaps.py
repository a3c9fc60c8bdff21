"""Traffic share and residency share, compared with published figures of the built-in traces."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from traces import shipped

from membench.report.screens.replay import print_replay
from membench.thesis.replay.answer import replay_source
from membench.thesis.replay.gaps import Gaps, reread, resting
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import Trace, TraceError


@pytest.fixture(scope="module")
def agent() -> Trace:
    return shipped("agent")


def percent(values: list[float]) -> list[float]:
    return [round(100 * value, 1) for value in values]


def test_resting_context_falls_into_the_published_bands(agent: Trace) -> None:
    gaps = resting(agent)
    bands = gaps.bands()
    assert percent([band.traffic for band in bands]) == [
        *(15.0, 50.8, 14.9, 7.6, 6.1, 3.4, 1.7, 0.6, 0.0)
    ]
    assert percent([band.residency for band in bands]) == [
        *(0.7, 4.9, 3.4, 3.5, 5.8, 9.0, 17.2, 55.6, 0.0)
    ]
    assert round(gaps.mean_s) == 184
    long = gaps.seconds > 60
    # The exact mean is 865.7.
    assert int(np.average(gaps.seconds[long], weights=gaps.weights[long])) == 865
    assert gaps.mean_s == pytest.approx(
        float(np.average(gaps.seconds, weights=gaps.weights)), rel=1e-9
    )


def test_fast_gaps_carry_the_traffic_and_slow_gaps_the_residency(agent: Trace) -> None:
    fast, middle, slow = resting(agent).bands((60.0, 300.0))
    assert percent([fast.traffic, fast.residency]) == [80.6, 9.0]
    assert round(100 * slow.traffic, 2) == 5.65
    assert percent([slow.residency]) == [81.8]
    assert fast.traffic + middle.traffic + slow.traffic == pytest.approx(1)


def test_gaps_between_requests_of_a_session(agent: Trace) -> None:
    seconds = resting(agent).seconds
    assert np.percentile(seconds, [50, 90]).tolist() == [18, 130]
    assert np.percentile(seconds, 99) == pytest.approx(2192, rel=2e-3)
    assert percent([float((seconds > 60).mean()), float((seconds > 300).mean())]) == [17.6, 5.1]


def test_what_is_read_again_rests_less_than_the_context(agent: Trace) -> None:
    exact = reread(agent, replay(agent).reuse)
    whole = resting(agent)
    assert exact.weights.sum() < whole.weights.sum()
    assert exact.mean_s < whole.mean_s
    fast, _, slow = exact.bands((60.0, 300.0))
    assert percent([fast.traffic, fast.residency, slow.traffic, slow.residency]) == [
        *(81.7, 15.3, 4.9, 69.8)
    ]


def test_reuse_intervals_of_the_conversation() -> None:
    trace = shipped("conversation")
    reuse = replay(trace).reuse
    blocks = reuse.blocks.copy()
    _, firsts = np.unique(reuse.request, return_index=True)
    blocks[firsts] -= 1  # every request begins with block 0
    gaps = np.repeat(trace.arrival[reuse.request] - trace.arrival[reuse.before], blocks)
    assert np.percentile(gaps, [10, 50, 90, 99]).round().tolist() == [45, 135, 531, 1710]
    assert round(100 * float((gaps <= 300).mean()), 1) == 75.8


def test_a_trace_without_sessions_has_no_resting_context() -> None:
    with pytest.raises(TraceError, match="has no sessions"):
        resting(shipped("conversation"))


def test_no_gaps_have_no_mean() -> None:
    assert Gaps(np.zeros(0), np.zeros(0)).mean_s == 0


def test_objects_without_tokens_count_one_each(tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    path.write_text("time,object\n0,a\n5,a\n30,b\n100,a\n")
    found = replay_source(str(path))
    bands = {one.high: (one.traffic, one.residency) for one in found.reread if one.traffic}
    assert bands == {10.0: (0.5, 0.05), 120.0: (0.5, 0.95)}
    console = Console(record=True, width=100, file=StringIO())
    print_replay(console, [found])
    shown = console.export_text()
    assert (
        "Time between two uses: shares of the objects, and of the idle time of all objects" in shown
    )
    assert "\ntraffic: the share of the data with a gap in the range; residency: " in shown
    assert "by tokens" not in shown  # only shown columns are explained


def test_columns_are_explained_and_impossible_drive_writes_are_cut() -> None:
    found = replay_source("conversation", capacities=(1000,))
    (point, *_) = found.points
    worn = tuple(replace(point, dwpd=value) for value in (6753468.0, 28.2))
    console = Console(record=True, width=100, file=StringIO())
    print_replay(console, [replace(found, points=worn)])
    shown = console.export_text()
    assert "> 100\n" in shown
    assert "28.2\n" in shown
    assert "6753468" not in shown
    for explained in ("by tokens: ", "full after: ", "DWPD if flash: "):
        assert f"\n{explained}" in shown
