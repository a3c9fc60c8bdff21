"""The screen at the end of a run, and the summary card, for a simulated server."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h100_box
import pytest
from healthy import MACHINE
from rich.console import Console

from membench.core.snapshot import GpuIdentity
from membench.core.terms import Metric, Stat, Status, Tier
from membench.core.units import GIB
from membench.measure.events import Place
from membench.measure.run import RunOutcome, Wall
from membench.report.screens.blocks import blocks, full_name
from membench.report.screens.check.progress import check_watcher
from membench.report.screens.last import print_outcome
from membench.report.screens.progress import ProgressLines
from membench.report.screens.run import print_rows
from membench.report.screens.serving import serving
from membench.report.screens.text_table import TextTable, drawn
from membench.results.case_result import CaseResult
from membench.results.schema import Row

WALL = Wall(61.0, 30.0, 10.0, 5.0)
TIERS = ["smem", "l1", "l2", "hbm", "gpu", "peer", "link", "cache", "ddr", "ssd"]


def outcome(folder: Path, rows: list[Row], gpus: int = 8) -> RunOutcome:
    path = h100_box.written(folder / "box.csv", rows, gpus=gpus)
    plan = replace(h100_box.plan(gpus=gpus), argv=("membench", "run", "--label=a|b"))
    return RunOutcome(plan, h100_box.box(gpus), rows, path, WALL)


def printed(shown: RunOutcome, width: int = 80, **options: bool) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False)
    print_outcome(console, shown, **options)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def table_of(lines: Sequence[str]) -> dict[str, str]:
    """Tier -> its line."""
    return {line.split()[0]: line for line in lines if line.split()[:1] and line[0].isalpha()}


def test_one_line_a_tier_with_its_share_and_verdict(tmp_path: Path) -> None:
    lines = printed(outcome(tmp_path, h100_box.rows()))
    start = next(place for place, line in enumerate(lines) if line.startswith("tier "))
    assert [line.split()[0] for line in lines[start + 1 : start + 11]] == TIERS
    table = table_of(lines)
    assert table["hbm"].split()[-1] == "pass"
    assert "3190 GB/s" in table["hbm"]
    assert "740 TFLOP/s" in table["gpu"]
    assert "ref:h100-sxm" in table["Compared"]
    assert any(line.endswith("data quality good") for line in lines)
    assert not any(line.startswith("The check failed") for line in lines)
    assert len(lines) <= 24
    text = "\n".join(lines)
    assert text.isascii()
    assert not {row.case for row in h100_box.rows()} & set(text.split())  # only --all prints rows


def test_a_link_of_half_its_speed_is_named_and_comes_next(tmp_path: Path) -> None:
    slow = h100_box.rows(change=h100_box.scaled(0.5, "link/"))
    lines = printed(outcome(tmp_path, slow))
    assert table_of(lines)["link"].split()[-2:] == ["50%", "fail"]
    assert any(line.startswith("The check failed: GPU 3: host to GPU") for line in lines)
    assert any(line.startswith("Next: membench check ") for line in lines)


def test_the_card_is_six_lines_of_markdown(tmp_path: Path) -> None:
    shown = outcome(tmp_path, h100_box.rows())
    assert shown.csv is not None
    *_, blank, head, rule, measured, verdicts, sentence, command = printed(shown, 400, paste=True)
    assert blank == ""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (head, rule, measured, verdicts)
    ]
    assert {len(row) for row in cells} == {1 + len(TIERS)}
    assert cells[0] == ["h100-box", *TIERS]
    assert cells[3][1 + TIERS.index("hbm")] == "101%, pass"
    assert sentence.startswith(
        "- KV cache of Llama 3.1 70B at 32k tokens on 2 GPUs: restored from DDR in "
    )
    assert sentence.endswith("; best: keep the KV cache in DDR.")
    digest = hashlib.sha256(shown.csv.read_bytes()).hexdigest()
    assert command.startswith("- `membench run '--label=a|b'`, ")
    assert command.split("`")[-2] == digest[:16]


def test_what_was_not_measured_is_named_in_the_sentence(tmp_path: Path) -> None:
    host = [row for row in h100_box.rows(gpus=1) if row.tier in (Tier.DDR, Tier.SSD)]
    rows = [row for row in host if row.backend != "cuda-storage" and "hbm" not in row.case]
    lines = printed(outcome(tmp_path, rows, 1), 400)
    (sentence,) = (line for line in lines if line.startswith("KV cache of Llama"))
    assert "not measured: restoring from DDR, restoring from SSD, recomputing" in sentence
    assert "brought from SSD to DDR in " in sentence
    assert "best:" not in sentence


@pytest.mark.parametrize(("gib", "ranks"), [(80, 2), (75, 4)])
def test_the_gpus_of_the_sentence_hold_the_weights_and_the_context(gib: int, ranks: int) -> None:
    # The weights have 131 GiB and the context 10 GiB; 90 % of the memory is usable.
    gpus = tuple(GpuIdentity(place, "GPU", "00", gib * GIB, "9.0") for place in range(4))
    machine = replace(MACHINE, gpus=replace(MACHINE.gpus, devices=gpus))
    found = serving(h100_box.rows(), machine)
    assert (found.question.tp, found.fits) == (ranks, True)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("width", [80, 200])
def test_no_id_is_broken(width: int, tmp_path: Path) -> None:
    rows = h100_box.rows("full", gpus=1)
    text = "\n".join(printed(outcome(tmp_path, rows, 1), width, everything=True))
    shown = [
        full_name(row).removesuffix(f" {row.stat}") for block in blocks(rows) for row in block.rows
    ]
    assert len(shown) > 500
    assert [case for case in shown if case not in text] == []


def test_an_id_has_a_line_of_its_own_where_the_numbers_leave_no_room() -> None:
    case = "ssd/read/pattern=rand/block=4KiB/qd=64/pages=thp"
    table = TextTable(None, ("case", "value", "range", "flags"), ((case, "1", "1..2", "noisy"),))
    found = {}
    for width in (60, 80):
        stream = io.StringIO()
        Console(file=stream, width=width, highlight=False).print(drawn(table, width))
        found[width] = [line.split() for line in stream.getvalue().splitlines()]
    assert found[80] == [["case", "value", "range", "flags"], [case, "1", "1..2", "noisy"]]
    assert found[60] == [["value", "range", "flags"], [case], ["1", "1..2", "noisy"]]


def test_bandwidth_and_iops_of_a_disk_are_one_table() -> None:
    base = next(row for row in h100_box.rows() if row.case.startswith("ssd/read"))
    rows = [
        replace(
            base,
            case=f"ssd/read/pattern=rand/block=4KiB/qd={depth}",
            metric=metric,
            stat=Stat.MEDIAN,
            value=value * depth,
            unit=unit,
            round_values=(value * depth,),
        )
        for depth in (1, 32)
        for metric, value, unit in ((Metric.BANDWIDTH, 0.04, "GB/s"), (Metric.IOPS, 1e4, "1/s"))
    ]
    stream = io.StringIO()
    print_rows(Console(file=stream, width=80, highlight=False), rows, full_ids=True)
    lines = [line.split() for line in stream.getvalue().splitlines() if line.strip()]
    assert lines[0][:4] == ["ssd", "bandwidth", "and", "IOPS,"]
    assert lines[1][:3] == ["case", "GB/s", "k/s"]
    assert [line[1:3] for line in lines[2:]] == [["0.04000", "10.00"], ["1.280", "320.0"]]


def test_a_provisional_table_waits_for_the_next_round(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that ends before the next round prints the same table once, at its end."""
    plan = replace(h100_box.plan(gpus=1), rounds=2)
    case = plan.cases[0]
    unit = CaseResult(1, case.id, Status.SKIPPED, "2026-11-28T00:00:00Z", "not here")
    rows = h100_box.judged(h100_box.rows())
    lines = ProgressLines()
    lines.started(plan, 0)
    lines.case_ended(unit, Place(1, 2, 1, 1), 1.0)
    lines.round_ended(1, lambda: rows)
    assert "provisional" not in capsys.readouterr().out
    lines.case_ended(replace(unit, round=2), Place(2, 2, 1, 1), 1.0)
    before, _, after = capsys.readouterr().out.partition("[round 2/2 1/1]")
    assert "provisional, after 1 round" in before
    assert case.id in after


def test_the_progress_of_a_check_leaves_standard_output_to_the_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = h100_box.plan(gpus=1)
    unit = CaseResult(1, plan.cases[0].id, Status.SKIPPED, "2026-11-28T00:00:00Z", "not here")
    lines = check_watcher(table=False)
    lines.started(plan, 0)
    lines.case_ended(unit, Place(1, 1, 1, 1), 1.0)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert unit.case in printed.err


def noisy_run(tmp_path: Path, **plan: Any) -> RunOutcome:
    """A run with one noisy row and the fields ``plan`` in its plan."""
    rows = h100_box.rows(gpus=1)
    noisy = replace(rows[0], flags=(*rows[0].flags, "noisy"))
    shown = outcome(tmp_path, [noisy, *rows[1:]], 1)
    return replace(shown, plan=replace(shown.plan, **plan))


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("", "membench run --rounds 10"),
        ("-o a.csv", "membench run --rounds 10"),
        ("--select ddr/* -oa.csv --rounds=3 --device cpu", "--select 'ddr/*' --device cpu"),
        ("--rounds 2 --output=b.csv --select kv", "membench run --select kv --rounds 10"),
        ("--output b.csv --set ddr/*:size=1GiB", "membench run --set 'ddr/*:size=1GiB' --rounds"),
    ],
)
def test_more_rounds_keep_the_cases_and_never_the_file(
    given: str, command: str, tmp_path: Path
) -> None:
    shown = noisy_run(tmp_path, rounds=5, argv=("membench", "run", *given.split()))
    (line,) = (line for line in printed(shown, 200) if line.startswith("Next: "))
    assert command in line
    assert ".csv" not in line


@pytest.mark.parametrize(
    ("rounds", "command"), [(5, "membench run --rounds 10"), (10, "membench doctor")]
)
def test_more_rounds_are_recommended_only_after_few_rounds(
    rounds: int, command: str, tmp_path: Path
) -> None:
    shown = noisy_run(tmp_path, rounds=rounds, argv=())
    assert any(line.startswith(f"Next: {command} ") for line in printed(shown, 120))


def counts_of(shown: RunOutcome) -> str:
    (line,) = (line for line in printed(shown, 400) if "data quality" in line)
    return line


def test_a_run_that_was_cut_early_counts_measurements_and_has_an_unknown_noise(
    tmp_path: Path,
) -> None:
    whole = outcome(tmp_path, h100_box.rows())
    planned = sum(whole.plan.rounds_of(case) for case in whole.plan.cases if not case.skipped)
    cases = {row.case: 2 if place % 3 == 0 else 1 for place, row in enumerate(whole.rows)}
    rows = [
        replace(row, rounds=cases[row.case], round_values=row.round_values[: cases[row.case]])
        for row in whole.rows
    ]
    line = counts_of(replace(whole, rows=rows, signum=2, again=whole.csv))
    assert f"; {sum(cases.values())} of {planned} measurements in 61 s (49% measuring" in line
    assert line.endswith("data quality unknown (one round does not show the noise)")


def test_the_time_of_a_resumed_run_says_what_it_covers(tmp_path: Path) -> None:
    shown = outcome(tmp_path, h100_box.rows())
    rounds = shown.plan.rounds
    assert f"; {rounds} of {rounds} rounds in 61 s (49% measuring" in counts_of(shown)
    resumed = replace(shown, wall=replace(WALL, resumed=True))
    assert f"; {rounds} of {rounds} rounds; 61 s since --resume (49% m" in counts_of(resumed)
    assert "after 61 s since --resume" in repr(resumed)


def test_a_run_without_a_value_ends_with_the_reason(tmp_path: Path) -> None:
    whole = outcome(tmp_path, h100_box.rows())
    names = [row.case for row in whole.rows]

    def ended(statuses: dict[str, tuple[Status, str]]) -> list[str]:
        rows = [
            replace(row, status=statuses[row.case][0], reason=statuses[row.case][1], value=None)
            for row in whole.rows
            if row.case in statuses
        ]
        return printed(replace(whole, rows=rows), 400)

    lines = ended(dict.fromkeys(names[:3], (Status.SKIPPED, "no GPU")))
    assert lines[-1] == "Nothing was measured: 3 cases skipped: no GPU"
    assert not any("%" in line or line.startswith("Next") for line in lines)
    assert "3 cases: 3 skipped" in lines
    *_, last, following = ended(
        {
            names[0]: (Status.FAILED, "broken"),
            **dict.fromkeys(names[1:3], (Status.SKIPPED, "no GPU")),
        }
    )
    assert last == "Nothing was measured: 2 of 3 cases skipped: no GPU"
    assert following.startswith("Next: membench -v run --rounds 1 --select ")
