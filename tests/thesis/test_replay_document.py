"""The outputs in `docs/replay.md` are the outputs of the command."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from membench.report.screens.console import console
from membench.report.screens.replay import print_replay
from membench.report.screens.replay_files import replay_csv
from membench.thesis.replay.answer import replay_source
from membench.thesis.replay.policies import parse_policy

TEXT = (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="ascii")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("place", "source", "rate"), [(0, "conversation", None), (1, "agent", None), (2, "agent", 0.01)]
)
def test_documented_curves_are_those_of_the_command(
    place: int, source: str, rate: float | None
) -> None:
    blocks = re.findall(r"^```csv\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    result = replay_source(source, rate=rate, seed=1)
    assert blocks[place] == replay_csv([result], named=False)
    if rate is None:
        shown = io.StringIO()
        print_replay(console(shown), [result])
        gaps = shown.getvalue().partition("idle time of all tokens\n")[2].partition("\n\n")[0]
        assert f"```\n{gaps}\n```" in TEXT


def test_documented_rules_are_those_of_the_command() -> None:
    table = TEXT.partition("| policy | conversation 1,000")[2]
    rows = re.findall(r"^\| ([\w:]+) \|((?: [0-9.]+ % \|){8})$", table, re.MULTILINE)
    shown = {rule: [*map(float, re.findall(r"[0-9.]+", cells))][:4] for rule, cells in rows}
    capacities = (1000, 5000, 10_000, 40_000)
    asked = [parse_policy(rule) for rule in shown if rule != "lru"]
    result = replay_source("conversation", capacities=capacities, policies=asked)
    found = {"lru": [point.hit_rate for point in result.points if point.capacity in capacities]}
    for point in result.policies:
        found.setdefault(str(point.policy), []).append(point.hit_rate)
    assert {
        rule: [round(100 * rate, 1) for rate in rates] for rule, rates in found.items()
    } == shown
