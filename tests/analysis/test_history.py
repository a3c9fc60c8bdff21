"""The history of a machine: reading, lines, changes of the environment, and the command."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from history_files import CASES, history_row, make_history, run_id, sidecar
from rich.console import Console

import membench
from membench.analysis.history.offsets import offsets_of
from membench.analysis.history.reading import read_history
from membench.analysis.history.summary import History, history_of, pair_offset
from membench.analysis.history.surroundings import SurroundingChange, facts_of, switched
from membench.analysis.sides import make_sides
from membench.analysis.sources import read_source
from membench.analysis.thresholds import PRESETS
from membench.analysis.verdict import Verdict
from membench.cli import main
from membench.core.errors import NothingMatched, SchemaError, UsageError
from membench.core.terms import Metric, Stat, Status, Tier
from membench.report.plots.style import Plot
from membench.report.screens.history import plots
from membench.report.screens.history.screen import print_history
from membench.report.screens.history.words import band_text, latest_text, now_text
from membench.results.compact.row import of_row
from membench.results.table import read_rows, write_rows

DDR, SSD = 1, 3
SHIFTS = {DDR: (40, 0.9), SSD: (20, 1.4)}
FACTS = ((40, {"kernel": "6.8.0", "cpu__governor": "powersave"}),)
COLUMNS = ((20, {"membench": "0.2.0"}),)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty runs: DDR becomes slower with a new kernel, the disk faster with a new membench."""
    where = tmp_path_factory.mktemp("history") / "results" / "box"
    return make_history(where, 60, shifts=SHIFTS, facts=FACTS, columns=COLUMNS)


@pytest.fixture(scope="module")
def history(box: Path) -> History:
    return history_of(read_history([box]))


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, captured.out, captured.err


def test_a_line_for_each_tier_and_metric_and_the_changes(history: History) -> None:
    assert [(line.key.tier, line.key.metric) for line in history.lines] == [
        (tier, metric) for tier, metric, _, _ in CASES
    ]
    ddr, ssd = history.lines[DDR], history.lines[SSD]
    assert history.changed == (ddr, ssd)
    (fell,), (rose,) = ddr.changes, ssd.changes
    assert (fell.verdict, rose.verdict) == (Verdict.WORSE, Verdict.BETTER)
    assert abs(fell.place - 40) <= 1
    assert abs(rose.place - 20) <= 1
    assert fell.ratio == pytest.approx(0.9, abs=0.01)
    assert (fell.last, fell.first) == ddr.runs[fell.place - 1 : fell.place + 1]
    assert fell.first.when == "2026-02-10 03:00"
    assert {fact.name for fact in fell.surroundings} == {"cpu.governor", "kernel"}
    assert [(one.name, one.before, one.after) for one in rose.surroundings] == [
        ("membench", "0.1.0", "0.2.0")
    ]


def test_a_latency_that_rises_is_worse(tmp_path: Path) -> None:
    made = history_of(read_history([make_history(tmp_path / "box", 30, shifts={2: (15, 1.2)})]))
    (change,) = made.lines[2].changes
    assert change.verdict is Verdict.WORSE


def test_the_band_holds_nine_of_ten_runs_and_follows_the_level(history: History) -> None:
    for line in history.lines:
        inside = sum(
            level.low <= value <= level.high
            for level in line.levels
            for value in line.values[level.start : level.end]
        )
        assert 0.85 * len(line.runs) <= inside <= 0.95 * len(line.runs)
        assert line.offset is not None
        assert 0.02 < line.offset < 0.045  # 1.96 sqrt(2) times 1 %
    ranges = history.expected()
    tier, metric, case, _ = CASES[DDR]
    ddr = ranges[tier, metric, case, Stat.MEDIAN]
    assert ddr.low < ddr.median < ddr.high
    assert ddr.median == pytest.approx(36, rel=0.02)
    assert ddr.runs == 60 - history.lines[DDR].changes[0].place


@pytest.mark.parametrize("runs", [1, 2, 9, 10])
def test_a_band_needs_ten_runs(tmp_path: Path, runs: int) -> None:
    made = history_of(read_history([make_history(tmp_path / "box", runs)]))
    line = made.lines[0]
    figure = plots.draw(line, 1)
    assert isinstance(figure.drawing, Plot)
    drawn = any(step.call == "fill_between" for step in figure.drawing.sketch.steps)
    named = "noise band" in str(figure.caption)
    assert drawn == named == (band_text(line) != "-") == (runs == 10)


def test_dates_of_one_day_have_times() -> None:
    times = ["2026-01-01 03:00", "2026-01-02 03:00"]
    assert plots._dates(times) == ["2026-01-01", "2026-01-02"]
    assert plots._dates(["2026-01-02 01:00", *times[1:]]) == [
        "2026-01-02\n01:00",
        "2026-01-02\n03:00",
    ]


def test_equal_runs_are_inside_their_band(tmp_path: Path) -> None:
    """exp(log(value)) may differ from the value in the last digits."""
    for place in range(14):
        cells = [history_row(place, case, 123.4 + case) for case in range(len(CASES))]
        write_rows(tmp_path / f"{run_id(place)[:16]}_quick.csv", cells)
    found = history_of(read_history([tmp_path]))
    assert [line.outside for line in found.lines] == [False] * len(CASES)


def test_a_change_that_does_not_matter_is_not_named(tmp_path: Path) -> None:
    box = make_history(tmp_path / "box", 60, scatter=0.002, shifts={DDR: (30, 0.98)})
    record = read_history([box])
    assert not history_of(record).changed
    (line,) = history_of(record, thresholds=PRESETS["strict"]).changed
    assert line.changes[0].ratio == pytest.approx(0.98, abs=0.002)


def test_every_case_and_some_cases(box: Path) -> None:
    record = read_history([box])
    assert len(history_of(record, every_case=True).lines) == len(CASES)
    (line,) = history_of(record, select=["host/chase/size=16KiB"]).lines
    assert line.key.tier is Tier.CACHE
    with pytest.raises(NothingMatched, match="no case matches 'hbm'"):
        history_of(record, select=["hbm"])


def test_flagged_and_loaded_cases_do_not_lead_their_tier(tmp_path: Path) -> None:
    paths = []
    for run in range(8):
        rows = [
            history_row(run, DDR, 40.0),
            history_row(run, DDR, 90.0, case="ddr/read/size=1MiB", flags=("cache-served",)),
            history_row(run, DDR, 80.0, case="host/loaded/size=auto"),
            history_row(run, DDR, 70.0, case="ddr/copy/size=auto"),
        ]
        paths.append(tmp_path / f"{run}.csv")
        write_rows(paths[-1], rows if run == 0 else rows[:3])
    (line,) = history_of(read_history(paths)).lines
    assert line.key.case == CASES[DDR][2]  # ddr/copy occurs in one run of eight


def test_of_a_disk_a_read_leads_its_tier(tmp_path: Path) -> None:
    paths = [tmp_path / f"{run}.csv" for run in range(8)]
    for run, path in enumerate(paths):
        write = history_row(run, SSD, 9.0, case="ssd/write/pattern=seq/block=1MiB/qd=4")
        write_rows(path, [history_row(run, SSD, 3.0), write])
    (line,) = history_of(read_history(paths)).lines
    assert line.key.case == CASES[SSD][2]


def test_the_headline_says_how_many_lines_were_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slower case that does not lead its tier is not hidden behind "no change"."""
    for run in range(20):
        slow = 30.0 if run < 12 else 25.0
        other = history_row(run, DDR, slow, case="ddr/copy/size=auto")
        write_rows(tmp_path / f"{run:02}.csv", [history_row(run, DDR, 40.0), other])
    code, out, _ = call(capsys, "history", tmp_path, "--fail-on", "worse")
    assert code == 0
    assert ": no change in 1 line\n" in out
    assert "1 other case or statistic was not searched for changes (--all searches all)" in out
    code, out, _ = call(capsys, "history", tmp_path, "--all", "--fail-on", "worse")
    assert code == 3
    assert ": 1 change\n" in out


def test_a_folder_with_an_unreadable_file_only_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_history(tmp_path / "box", 1)
    (path,) = box.glob("*.csv")
    path.write_text(path.read_text().replace("GB/s", "GB/h"), encoding="ascii")
    code, _, err = call(capsys, "history", box)
    assert code == 1
    assert f"no file can be read as a run; {path}: " in err
    assert "Hint: restore the file" in err


def test_another_version_of_a_case_begins_anew(tmp_path: Path) -> None:
    box = make_history(tmp_path / "box", 20, columns=[(12, {"case_version": 2})])
    for line in history_of(read_history([box])).lines:
        assert (line.key.version, len(line.runs), line.earlier) == (2, 8, 12)


def test_failed_rows_are_counted_and_are_no_values(tmp_path: Path) -> None:
    box = make_history(tmp_path / "box", 8)
    (path, *_) = sorted(box.glob("*.csv"))
    lost: dict[str, Any] = {
        "status": Status.FAILED,
        "value": None,
        "round_values": (),
        "spread": None,
    }
    rows = [replace(row, **lost, reason="it broke") for row in read_rows(path)]
    write_rows(path, rows)
    for line in history_of(read_history([box])).lines:
        assert (len(line.runs), line.failures) == (7, 1)


def test_a_run_in_two_files_counts_once(tmp_path: Path) -> None:
    box = make_history(tmp_path / "box", 6)
    (path, *_) = box.glob("*.csv")
    (tmp_path / "copy.csv").write_bytes(path.read_bytes())
    record = read_history([box, tmp_path / "copy.csv"])
    assert (len(record.runs), record.repeated) == (6, 1)


def test_order_is_that_of_time_however_files_are_named(tmp_path: Path) -> None:
    paths = []
    for place, run in enumerate((4, 2, 9, 0)):
        paths.append(tmp_path / f"{place}.csv")
        write_rows(paths[-1], [history_row(run, DDR, 40.0 + run)])
    record = read_history(paths)
    assert [run.run_id for run in record.runs] == [run_id(run) for run in (0, 2, 4, 9)]
    (series,) = record.series.values()
    assert series.values.tolist() == [40.0, 42.0, 44.0, 49.0]


def test_files_of_a_directory_that_are_none_are_named_and_given_ones_refused(
    tmp_path: Path,
) -> None:
    box = make_history(tmp_path / "box", 6)
    (box / "notes.csv").write_text("a,b\n1,2\n", encoding="ascii")
    assert list(read_history([box]).unread) == [str(box / "notes.csv")]
    with pytest.raises(SchemaError, match=r"notes\.csv"):
        read_history([box / "notes.csv"])
    # The command line does not name the pipe, so membench must not wait for it.
    os.mkfifo(box / "pipe.csv")
    assert str(box / "pipe.csv") in read_history([box]).unread
    (tmp_path / "empty").mkdir()
    with pytest.raises(SchemaError, match="no runs found"):
        read_history([tmp_path / "empty"])
    with pytest.raises(SchemaError, match="File name too long"):
        read_history([tmp_path / ("x" * 300)])
    with pytest.raises(UsageError):
        read_history([])


def test_edited_files_are_left_out_or_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_history(tmp_path / "box", 6)
    edited, cut, *_ = sorted(box.glob("*.csv"))
    cells = edited.read_text(encoding="ascii").split("\n", 2)
    cells[1] = cells[1].replace(f",ok,{read_rows(edited)[0].value},", ",ok,99.5,")
    edited.write_text("\n".join(cells), encoding="ascii")
    cut.write_text(cut.read_text(encoding="ascii").rsplit("\n", 2)[0] + "\n", encoding="ascii")
    with pytest.raises(SchemaError, match="not the median of the round values"):
        read_history([edited])
    code, out, err = call(capsys, "history", box)
    assert code == 0
    assert re.search(rf"{edited.name} was not read: .*not the median of the round values", out)
    assert "99.5" not in out
    assert err == f"Warning: {cut} was changed after its run: its numbers may be wrong\n"
    for one in box.glob("*.json"):
        one.write_text("{", encoding="ascii")
    _, out, err = call(capsys, "history", box, "--json")
    assert err.count("is not JSON; the file is not used") == 3  # the other files are counted
    assert "Warning: 2 more files with such a problem" in err
    assert len(json.loads(out)["problems"]) == 5


def test_two_machines_are_refused_and_two_names_of_one_are_not(tmp_path: Path) -> None:
    old = make_history(tmp_path / "old", 3, columns=[(0, {"machine": "old"})])
    new = make_history(tmp_path / "new", 6, columns=[(0, {"machine": "new"})])
    for path in old.glob("*.csv"):
        path.with_suffix(".json").unlink()
    for path in sorted(new.glob("*.csv"))[:3]:  # nights that are also in the other folder
        path.unlink()
    with pytest.raises(UsageError, match="the runs are from 2 machines: new, old"):
        read_history([old, new])
    path = max(new.glob("*.csv"))
    beside = sidecar(5, slug="new", former=["old"])
    path.with_suffix(".json").write_text(json.dumps(beside), encoding="ascii")
    record = read_history([old, new])
    assert (record.machines, len(record.runs)) == (("old", "new"), 6)
    assert read_history([tmp_path]).machines == record.machines  # one folder level below
    other = make_history(tmp_path / "other", 8, columns=[(0, {"machine": "third"})])
    for path in sorted(other.glob("*.csv"))[:6]:
        path.unlink()
    with pytest.raises(UsageError, match="the runs are from 2 machines: old, third"):
        read_history([old, new, other])


def test_what_switches_once_beside_the_change_counts() -> None:
    before = [{"kernel": "1", "load": str(run), "old": "a", "gone": "x"} for run in range(4)]
    after = [{"kernel": "2", "load": str(run + 9), "old": "a", "new": "y"} for run in range(4)]
    assert switched(before, after) == [SurroundingChange("kernel", "1", "2", 0)]
    before[-1]["kernel"] = "2"
    assert switched(before, after) == [SurroundingChange("kernel", "1", "2", -1)]
    before[-2]["kernel"] = "2"  # two runs earlier, so a separate change
    assert switched(before, after) == []
    assert switched([{"a": "1"}, {"a": "2"}, {"a": "1"}], [{"a": "2"}]) == []


def test_facts_are_of_the_row_the_machine_and_the_plan() -> None:
    row = of_row(history_row(3, DDR, 40.0, driver="550", flags=("noisy", "vm")))
    facts = facts_of(row.common, sidecar(3))
    assert facts["driver"] == "550"
    assert facts["flags"] == "vm"
    assert facts["size=auto"] == "256 MiB"
    assert facts["memory.thp"] == "madvise"
    assert facts["packages.numpy"] == "2.0.0"
    assert facts["profile"] == "quick"
    volatile = {"load", "memory.available", "seed", "argv", "run_id"}
    assert volatile.isdisjoint(facts)
    assert facts_of(row.common, {"machine": [1, "x"], "plan": 7})["rounds"] == "5"


def test_hostile_sidecars_cost_little() -> None:
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": deep}
    row = of_row(history_row(0, DDR, 40.0))
    facts = facts_of(row.common, {"machine": {"deep": deep, "bell": "\x1b[31m" + "x" * 5000}})
    assert len(facts["bell"]) <= 120
    assert facts["bell"].isprintable()


def test_pairs_of_runs() -> None:
    assert pair_offset(np.log([1.0, 1.0, 1.0])) == 0
    assert pair_offset(np.log([1.0, 1.1])) == pytest.approx(0.1)
    many = 0.01 * np.random.default_rng(1).normal(size=3000)
    assert pair_offset(many) == pytest.approx(0.01 * 1.96 * 2**0.5, rel=0.1)


# The command.


def test_the_table(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "history", box)
    assert (code, err) == (0, "")
    for pattern in (
        r"^box: 60 runs, 2026-01-01 03:00 to 2026-03-01 03:00: 2 changes$",
        r"^ddr bandwidth +60 +36\.\d\d GB/s +\S+ to \S+ +\S+(?: \*)? +1 worse +ddr/read/size=auto",
        r"^ssd iops +60 +\d+\.\d k/s .* none +ssd/read/pattern=rand/block=4KiB/qd=32/pages=thp$",
        r"^v worse  ddr bandwidth -\d+\.\d%  \S+ -> \S+ GB/s$",
        r"^  since 2026-02-\d\d 03:00 \(run 4\d of 60\), p <= 0\.002$",
        r"^  kernel: 6\.1\.0 -> 6\.8\.0$",
        r"^Next: membench compare before=\S+\.csv before=",
    ):
        assert re.search(pattern, out, re.MULTILINE), (pattern, out)
    assert out.isascii()


def test_json_page_and_gate(box: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "box.html"
    code, out, err = call(capsys, "history", box, "--json", "-o", page, "--fail-on", "worse")
    assert code == 3
    assert "Found: 1 worse (--fail-on worse)" in err
    data = json.loads(out)
    assert data["schema"] == "membench.history/1"
    assert len(data["runs"]) == 60
    ddr = data["lines"][DDR]
    assert ddr["changes"][0]["verdict"] == "worse"
    assert [level["runs"] for level in ddr["levels"]] == [
        ddr["changes"][0]["place"],
        60 - ddr["changes"][0]["place"],
    ]
    html = page.read_text(encoding="utf-8")
    assert html.count("<figure") == len(CASES)
    assert "Host memory (DDR): bandwidth" in html
    assert "cpu.governor: performance -&gt; powersave" in html
    assert call(capsys, "history", box, "-o", page)[0] == 0  # the command replaces its own page
    (tmp_path / "mine.html").write_text("mine", encoding="ascii")
    assert call(capsys, "history", box, "-o", tmp_path / "mine.html")[0] == 1
    assert call(capsys, "history", box, "-o", tmp_path / "page.md")[0] == 2
    assert call(capsys, "history", box, "--fail-on", "unclear")[0] == 2


def test_the_plot_names_the_number_of_drawn_runs(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plots, "_DOTS", 50)
    page = tmp_path / "box.html"
    assert call(capsys, "history", box, "-o", page)[0] == 0
    assert "The plot has circles for 50 of 60 runs." in page.read_text(encoding="utf-8")


def test_an_improvement_passes_the_gate_on_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_history(tmp_path / "box", 30, shifts={SSD: (15, 1.5)})
    assert call(capsys, "history", box, "--fail-on", "worse")[0] == 0
    assert call(capsys, "history", box, "--fail-on", "worse,better")[0] == 3


def test_few_runs_say_that_they_are_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = make_history(tmp_path / "box", 3)
    code, out, _ = call(capsys, "history", box)
    assert code == 0
    assert "the history has 3 runs: with fewer than 15 runs, membench finds only changes" in out
    (line, *_) = json.loads(call(capsys, "history", box, "--json")[1])["lines"]
    assert (line["levels"][0]["low"], line["levels"][0]["high"]) == (None, None)
    assert line["outside"] is None
    path = next(iter(box.glob("*.csv")))
    out = call(capsys, "history", path)[1]
    assert "the history has only one run, which shows neither noise nor changes" in out
    assert re.search(r"^ddr bandwidth +1 +\S+ GB/s +- ", out, re.MULTILINE)


def test_without_arguments_it_is_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, "history")
    assert code == 2
    found = re.search(r"the results folder (results/\S+) of this machine does not exist\n", err)
    assert found, err
    make_history(tmp_path / found[1], 6)
    code, out, _ = call(capsys, "history")
    assert code == 0
    assert "6 runs" in out


def test_python(box: Path) -> None:
    made = membench.history(box, select=["ddr"])
    (line,) = made.lines
    assert line.key.metric is Metric.BANDWIDTH
    assert len(line.changes) == 1


# The margin for one run per side.


def test_compare_names_the_offset_of_other_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    box = make_history(tmp_path / "results" / "box", 30, scatter=0.05)
    monkeypatch.chdir(tmp_path)
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    for run, path, factor in ((40, one, 1.0), (41, two, 1.05)):
        write_rows(
            path, [history_row(run, DDR, 40.0 * factor), history_row(run, SSD, 3 * factor**8)]
        )
    code, out, _ = call(capsys, "compare", one, two)
    assert code == 0
    assert re.search(r"^ddr/read\S+ .* \^ better \(runs differ by 1\d\.\d%\)", out, re.MULTILINE), (
        out
    )
    assert re.search(r"^ssd/read\S+ .* \^ better$", out, re.MULTILINE), out
    assert (
        "Even without a known change between runs, the values of 12 other runs of this machine"
        in out
    )
    assert (
        "in 1 of 2 rows with the verdict better or worse, the difference is no larger than "
        "the usual difference between the other runs; to be sure, measure " in out
    )
    data = json.loads(call(capsys, "compare", one, two, "--format", "json")[1])
    found = [row["labels"][1]["against_reference"]["offset"] for row in data["rows"]]
    assert all(0.1 < offset < 0.2 for offset in found)
    # A folder with the machine's name is also a history of this machine.
    monkeypatch.chdir("/")
    first, second, *_ = sorted(box.glob("*.csv"))
    sides = make_sides([("a", read_source(first)), ("b", read_source(second))])
    shown = offsets_of(sides)
    assert shown is not None
    assert shown.runs == 12
    # There is no margin without other runs, for several runs per side, or for parts of one run.
    alone = make_sides([("a", read_source(one)), ("b", read_source(two))])
    assert offsets_of(alone) is None
    several = [("a", read_source(first)), ("a", read_source(second)), ("b", read_source(one))]
    assert offsets_of(make_sides(several)) is None
    assert offsets_of([sides[0], replace(sides[0], label="c")]) is None


def test_a_narrow_terminal_cuts_off_no_number(tmp_path: Path) -> None:
    made = history_of(read_history([make_history(tmp_path / "box", 12)]))
    text = io.StringIO()
    print_history(Console(file=text, width=40), made)
    printed = " ".join(text.getvalue().split())
    for line in made.lines:
        for cell in (now_text(line), latest_text(line), band_text(line)):
            assert cell in printed


@pytest.mark.parametrize("width", [80, 200])
def test_lines_of_one_name_are_told_apart_by_their_cases(tmp_path: Path, width: int) -> None:
    folder = make_history(tmp_path / "box", 3)
    for path in folder.glob("*.csv"):
        rows = read_rows(path)
        more = [replace(row, case=row.case.replace("ddr/read", "ddr/write")) for row in rows]
        path.unlink()
        write_rows(path, [*rows, *(row for row in more if "write" in row.case)])
    stream = io.StringIO()
    shown = history_of(read_history([folder]), every_case=True, thresholds=PRESETS["default"])
    print_history(Console(file=stream, width=width, markup=False, highlight=False), shown)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    case = "ddr/write/size=auto/threads=all/pages=thp"
    (place,) = [place for place, line in enumerate(lines) if case in line]
    near = lines[place] if width > 132 else lines[place + 1]
    assert "ddr bandwidth" in near
    assert "GB/s" in near
