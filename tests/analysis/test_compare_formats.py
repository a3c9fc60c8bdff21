"""The compare command: screens, formats, labels and exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from compare_rows import CASE, around, of_run, row, run_cli, write
from reading_files import DATA, imported
from rich.console import Console

from membench.analysis.absences import Absence
from membench.analysis.comparison import Comparison, compare
from membench.analysis.sides import make_sides
from membench.analysis.sources import read_source
from membench.analysis.thresholds import PRESETS
from membench.analysis.verdict import Reason, Verdict
from membench.cli import main
from membench.cli.compare_command import command
from membench.core.terms import Metric, Stat, Status, Tier
from membench.report.page.markdown_text import escaped
from membench.report.screens.compare.cells import GLYPH
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.github import abridged, publish
from membench.report.screens.compare.markdown import to_markdown
from membench.report.screens.compare.notes import absent_cases
from membench.report.screens.compare.screen import print_comparison
from membench.report.screens.compare.table import list_lines, wide_lines
from membench.report.screens.compare.view import SORTS, CompareBlock, arrange, shortened
from membench.report.screens.console import console
from membench.report.screens.job_summary import LIMIT
from membench.results.schema import Row

LONG = "kv/h2d/block=16KiB/count=10000/method=batch/mem=pinned/stream=two"
OLD = [
    row(around(100), "ddr/copy/size=1GiB/threads=all", peak=200.0),
    row(around(50), "ddr/copy/size=64MiB/threads=all", flags=("noisy",)),
    row(around(60), "ddr/read/size=1GiB/threads=all", case_version=1),
    row(around(10), LONG, tier=Tier.LINK, backend="cuda", device="H100 | \x1b[31mPCIe"),
    row(around(2e6), "ssd/read", metric=Metric.LATENCY, tier=Tier.SSD),
    row(around(8e6), "ssd/read", metric=Metric.LATENCY, tier=Tier.SSD, stat=Stat.P99),
    row(around(3), "ddr/gone"),
    row((), "smem/read", status=Status.SKIPPED, reason="needs a | GPU"),
]
NEW = [
    row(around(110), "ddr/copy/size=1GiB/threads=all", peak=200.0),
    row((50, 60, 40, 55, 45), "ddr/copy/size=64MiB/threads=all", flags=("noisy",)),
    row(around(60), "ddr/read/size=1GiB/threads=all", case_version=2),
    row(around(9), LONG, tier=Tier.LINK, backend="cuda", device="H200"),
    row(around(2e6), "ssd/read", metric=Metric.LATENCY, tier=Tier.SSD),
    row(around(8e6)[:3], "ssd/read", metric=Metric.LATENCY, tier=Tier.SSD, stat=Stat.P99),
    row((), "smem/read", reason="round 2: out of memory"),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A results file, the reference of the comparisons in these tests."""
    return write(tmp_path / "old.csv", *OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The results file of the other side, from another run on the same machine."""
    return write(tmp_path / "new.csv", *of_run("r2", NEW))


def sides(*paths: Path) -> Comparison:
    return compare(make_sides([(None, read_source(path)) for path in paths]))


def drawn(comparison: Comparison, width: int, *, full_ids: bool) -> str:
    stream = io.StringIO()
    screen = Console(file=stream, width=width, highlight=False)
    print_comparison(screen, comparison, arrange(comparison), full_ids=full_ids)
    return stream.getvalue()


def test_the_screen_says_it_all(capsys: pytest.CaptureFixture[str], old: Path, new: Path) -> None:
    code, out, err = run_cli(capsys, old, new)
    assert (code, err) == (0, "")
    assert out.isascii()
    assert "\x1b" not in out
    for pattern in (
        r"^old  reference  5 rounds, 6 cases: \S+old\.csv$",
        r"^new             3\.\.5 rounds, 5 cases: \S+new\.csv$",
        r"^differs:  device: .*H100 \| .* \| .*H200",
        r"^same:     machine box, ",
        r"^ddr bandwidth, GB/s \(higher is better\)$",
        r"^ddr/copy/size=1GiB/threads=all +100\.0 +\+-0\.2% 50% +110\.0 +\+-0\.2% 55% ",
        r" 1\.100 \[1\.097, 1\.103\] +\^ better$",
        r"^ddr/copy/size=64MiB/threads=all .* \? unclear +1 2$",
        r"^ddr/read/size=1GiB/threads=all .* - n/a +3$",
        r"^geomean, 2 cases +1\.0",
        rf"^{re.escape(LONG)} .* v worse$",
        r"^ssd latency, ms \(lower is better\)$",
        r"^ssd/read .* = same$",
        r"^ssd/read p99 .* \? unclear \(n=5/3\)$",
        r"^geomean median, 1 case +1\.000$",
        r"^1  noisy in old: the rounds differ",
        r"^3  new: case_version differs: 1 \| 2; run both sides with the same version",
        r"^1 failed in new: round 2: out of memory\n  smem/read$",
        r"^1 only in old\n  ddr/gone$",
        r"^1 skipped in old: needs a \| GPU\n  smem/read$",
        r"^new against old: 6 rows: 1 better, 1 worse, 1 same, 2 unclear, 1 n/a$",
        r"^5 cases in common; thresholds 3% bandwidth, 10% ssd \(default\)$",
        r"^2 unclear: measure at least 4 runs per side, alternately \(A B B A \.\.\.\)$",
        r"^1 noisy: the spread between rounds is above the threshold, up to 14\.8%",
        r"^each label has only one run, .* from one another$",
        r"^ratio: the Hodges-Lehmann estimate from all pairs of values, not the quotient",
    ):
        assert re.search(pattern, out, re.MULTILINE), (pattern, out)
    assert out.count("measure at least 4 runs per side") == 1


def test_markdown_explains_the_ratio_once(old: Path, new: Path) -> None:
    comparison = sides(old, new)
    text = to_markdown(comparison, arrange(comparison))
    assert text.count("ratio: the Hodges-Lehmann estimate from all pairs of values") == 1
    assert "half the range of the values" in text


def test_the_means_of_all_labels_are_in_one_row(tmp_path: Path, old: Path) -> None:
    files = [write(tmp_path / f"run-{number}.csv", *of_run(f"r{number}", NEW)) for number in (1, 2)]
    comparison = sides(old, *files)
    blocks = arrange(comparison)
    for text in (drawn(comparison, 400, full_ids=True), to_markdown(comparison, blocks)):
        rows = [line for line in text.splitlines() if "geomean, 2 cases" in line]
        assert len(rows) == 1
        assert len(re.findall(r"\b1\.0\d+\b", rows[0])) == 2


def test_a_narrow_table_names_its_columns(tmp_path: Path) -> None:
    sampled = [
        replace(one, min=one.value * 0.9, max=one.value * 1.1)
        for one in OLD
        if one.value is not None
    ]
    files = [
        write(tmp_path / f"{name}.csv", *of_run(name, sampled)) for name in ("first", "second")
    ]
    comparison = sides(*files)
    (block, *_) = arrange(comparison)
    assert block.has_best
    head, *lines = (
        line
        for one in list_lines(comparison, block, Footnotes(comparison), block.names, coloured=False)
        for line in one.plain.splitlines()
    )
    assert head.split() == ["value", "ratio", "[95%", "CI]", "best", "verdict", "notes"]
    compared = next(line for line in lines if line.startswith("  second"))
    for title, cell in (("ratio", "1.000"), ("best", "1.000"), ("verdict", "=")):
        assert compared[head.index(title) :].startswith(cell)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("labels", [2, 3, 6])
def test_no_line_is_wider_than_the_terminal_and_no_case_is_lost(
    tmp_path: Path, old: Path, width: int, labels: int
) -> None:
    files = [
        write(tmp_path / f"run-{number}.csv", *of_run(f"r{number}", NEW))
        for number in range(labels - 1)
    ]
    text = drawn(sides(old, *files), width, full_ids=False)
    assert max(map(len, text.splitlines())) <= width
    whole = "".join(text.split())
    for one in (*OLD, *NEW):
        for part in one.case.split("/"):
            assert part in whole
    for name in ("old", *(f"run-{number}" for number in range(labels - 1))):
        assert name in text
    assert text.count("^ better") == labels - 1


def test_on_a_pipe_many_labels_stand_in_one_line_with_whole_ids(tmp_path: Path, old: Path) -> None:
    files = [
        write(tmp_path / f"run-{number}.csv", *of_run(f"r{number}", NEW)) for number in range(9)
    ]
    lines = drawn(sides(old, *files), 4096, full_ids=True).splitlines()
    (line,) = [line for line in lines if line.startswith(LONG)]
    assert line.count("v worse") == 9


def test_a_table_is_drawn_where_there_is_just_room_for_it(old: Path, new: Path) -> None:
    comparison = sides(old, new)
    for block in arrange(comparison):

        def drawn_in(room: int, block: CompareBlock = block) -> list[str] | None:
            lines = wide_lines(comparison, block, Footnotes(comparison), block.ids, room)
            return None if lines is None else [line.plain for line in lines]

        lines = drawn_in(400)
        assert lines is not None
        width = max(map(len, lines))
        assert drawn_in(width) == lines
        assert drawn_in(width - 1) is None


def test_colour_changes_no_letter_of_a_table(old: Path, new: Path) -> None:
    comparison = sides(old, new)
    wide = drawn(comparison, 400, full_ids=True)
    stream = io.StringIO()
    screen = Console(file=stream, width=400, force_terminal=True, color_system="standard")
    print_comparison(screen, comparison, arrange(comparison), full_ids=True)
    coloured = stream.getvalue()
    assert re.search(r"1\.103\] +\x1b\[32m\^ better *\x1b\[0m", coloured)
    assert re.search(r"\x1b\[1;31mv worse *\x1b\[0m", coloured)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == [
        line.rstrip() for line in wide.splitlines()
    ]


def test_runs_of_blanks_are_trimmed_in_one_sweep() -> None:
    stream = io.StringIO()
    blanks = " " * 300_000
    console(stream).file.write(f"a{blanks}b  \n{blanks}\n c{blanks}")
    assert stream.getvalue() == f"a{blanks}b\n\n c{blanks}"


def test_what_all_rows_carry_is_said_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = [row(around(1), f"ddr/{name}", flags=("vm",)) for name in "xyz"]
    _, out, _ = run_cli(capsys, write(tmp_path / "a.csv", *rows), tmp_path / "a.csv")
    assert out.count("vm") == 1
    assert "vm (all rows): the machine is a virtual machine" in out


def test_engines_and_tiers_that_differ_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a = row(around(1), "host/chase", metric=Metric.LATENCY, detail={"engine": "numba"})
    b = replace(a, run_id="r2", tier=Tier.CACHE, detail={"engine": "numpy"}, kernel="k1")
    first = write(tmp_path / "a.csv", replace(a, kernel="k2"))
    _, out, _ = run_cli(capsys, first, write(tmp_path / "b.csv", b))
    assert "tier differs: ddr | cache" in out
    assert "engine differs: numba | numpy" in out
    assert "the source code of the measured work differs in 1 row (column kernel)" in out


def test_a_cpu_fallback_is_no_regression_of_a_gpu(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gpu = write(tmp_path / "gpu.csv", row(around(3000), "hbm/read", backend="cuda", device="H100"))
    cpu = write(tmp_path / "cpu.csv", row(around(20), "hbm/read", run_id="r2"))
    code, out, _ = run_cli(capsys, gpu, cpu, "--fail-on", "worse", "--cross-machine")
    assert code == 0
    assert "backend differs: cuda | cpu" in out
    assert "1 n/a" in out


def test_json(capsys: pytest.CaptureFixture[str], old: Path, new: Path) -> None:
    code, out, _ = run_cli(capsys, old, new, "--format", "json")
    assert code == 0
    data = json.loads(out)
    assert list(data)[:3] == ["schema", "reference", "labels"]
    assert data["schema"] == "membench.compare/1"
    assert data["reference"] == "old"
    assert data["counts"] == {"new": {"better": 1, "worse": 1, "same": 1, "unclear": 2, "n/a": 1}}
    assert len(data["rows"]) == 8
    by_case = {(one["case"], one["stat"]): one["labels"] for one in data["rows"]}
    a, b = by_case["ddr/copy/size=1GiB/threads=all", "median"]
    assert a["value"] == pytest.approx(100)
    assert b["peak_share"] == pytest.approx(0.55)
    against = b["against_reference"]
    assert against["verdict"] == "better"
    assert against["reason"] == "beyond-threshold"
    assert against["n"] == [5, 5]
    assert "p" not in against  # no verdict depends on a p-value
    assert against["in_turns"] is False
    assert against["ci"] == pytest.approx([1.0967, 1.1033], abs=1e-4)
    few = by_case["ssd/read", "p99"][1]["against_reference"]
    assert (few["reason"], few["ci"], few["settle"]) == (
        *("too-few-values", None),
        "measure at least 4 runs per side, alternately (A B B A ...)",
    )
    assert by_case["smem/read", "median"][1] == {
        "label": "new",
        "status": "failed",
        "reasons": ["round 2: out of memory"],
    }
    assert by_case["ddr/gone", "median"][1] == {"label": "new", "status": "missing"}
    assert [one["kind"] for one in data["unmatched"]] == ["failed", "only", "skipped"]
    assert out == run_cli(capsys, old, new, "--format", "json")[1]


def test_csv_has_a_row_for_each_line_and_label(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path
) -> None:
    _, out, _ = run_cli(capsys, old, new, "--format", "csv")
    records = list(csv.DictReader(io.StringIO(out)))
    assert len(records) == 16
    assert {record["schema"] for record in records} == {"membench.compare/1"}
    first, second = records[:2]
    assert (first["label"], first["reference"], first["verdict"]) == ("old", "true", "")
    assert (second["label"], second["reference"]) == ("new", "false")
    lost = [record for record in records if record["status"] == "missing"]
    assert [(record["case"], record["value"]) for record in lost] == [("ddr/gone", "")]
    assert all(None not in record.values() for record in records)


def test_markdown_cells_are_escaped(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path
) -> None:
    _, out, _ = run_cli(capsys, old, f"a|b=c*`<i>={new}", "--format", "md")
    assert out.isascii()
    assert r"a\|b=c\*\`\<i\>" in out
    for line in out.splitlines():
        if line.startswith("| ddr/"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7
    assert "- ddr/gone" in out
    assert r"needs a \| GPU" in out
    assert escaped(r"a\|b") == r"a\\\|b"


def test_github_appends_to_the_summary_of_the_job(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    old: Path,
    new: Path,
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    markdown = run_cli(capsys, old, new, "--format", "md")[1]
    assert run_cli(capsys, old, new, "--format", "github")[1] == markdown
    target = tmp_path / "summary.md"
    target.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    code, out, _ = run_cli(capsys, old, new, "--format", "github")
    assert code == 0
    assert out.startswith("new against old: 6 rows")
    assert target.read_text() == "before\n" + markdown
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "summary.md"))
    code, _, err = run_cli(capsys, old, new, "--format", "github")
    assert code == 1
    assert err.startswith("Error: cannot append to GITHUB_STEP_SUMMARY=")


def test_a_summary_that_is_too_long_loses_what_is_the_same_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(around(1), f"ddr/x/n={number}") for number in range(40)]
    rows.append(row(around(1), "ddr/y"))
    changed = [*rows[:-1], row(around(2), "ddr/y")]
    a = write(tmp_path / "a.csv", *rows)
    b = write(tmp_path / "b.csv", *of_run("r2", changed))
    made = sides(a, b)
    whole, shorter, shortest = abridged(made, arrange(made))
    assert "ddr/x/n=7 " in whole
    assert "ddr/x/n=7 " not in shorter
    assert "ddr/y " in shorter
    assert shortest.startswith("- b against a: 41 rows: 1 better, 40 same\n")
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for room, appended in (
        (len(whole), whole),
        (len(whole) - 1, shorter),
        (len(shorter) - 1, shortest),
        (len(shortest) - 1, ""),
    ):
        summary.write_text("\n" * (LIMIT - room))
        printed = publish(made, arrange(made))
        assert summary.read_text().lstrip("\n") == appended
        assert (printed == whole) is (not appended)


@pytest.mark.parametrize("label", ["NA", "null", "=x", "=cmd()", "1234e56", "[bold]", "a b"])
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_label_is_plain_text(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path, label: str, form: str
) -> None:
    code, out, _ = run_cli(capsys, old, f"{label}={new}", "--select", "ddr/copy", "--format", form)
    assert code == 0
    if form == "json":
        assert json.loads(out)["labels"][1]["label"] == label
    elif form == "csv":
        guarded = f"'{label}" if label.startswith("=") else label
        assert {record["label"] for record in csv.DictReader(io.StringIO(out))} == {"old", guarded}
    else:
        assert f"{label} against old: 2 rows" in out


@pytest.mark.parametrize(
    ("sort", "cases"),
    [("case", ["b", "c", "a"]), ("ratio", ["c", "b", "a"]), ("value", ["b", "a", "c"])],
)
def test_the_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sort: str, cases: list[str]
) -> None:
    first = [row(around(value), f"ddr/{case}") for case, value in (("b", 9), ("c", 1), ("a", 3))]
    second = [row(around(value), f"ddr/{case}") for case, value in (("b", 9), ("c", 2), ("a", 1))]
    a = write(tmp_path / "a.csv", *first)
    b = write(tmp_path / "b.csv", *of_run("r2", second))
    _, out, _ = run_cli(capsys, a, b, "--sort", sort)
    assert re.findall(r"^ddr/(\w) ", out, re.MULTILINE) == cases
    option = next(one for one in command.params if one.name == "sort")
    assert tuple(option.to_info_dict()["type"]["choices"]) == tuple(SORTS)


@pytest.mark.parametrize("form", ["table", "md", "json", "csv"])
def test_status_shows_a_part_and_counts_the_whole(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path, form: str
) -> None:
    arguments = (old, new, "--status", "worse,n/a", "--format", form)
    code, out, _ = run_cli(capsys, *arguments, "--fail-on", "unclear", "--cross-machine")
    assert code == 3  # the exit code considers all rows
    cases = {case for case in ("ddr/read/size", "kv/h2d", "ddr/copy") if f"{case}" in out}
    assert cases == {"ddr/read/size", "kv/h2d"}
    if form != "csv":
        assert re.search(r"1 better|\"better\": 1", out)


def test_the_reference_may_be_named(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path
) -> None:
    _, out, _ = run_cli(capsys, old, new, "--ref", "new")
    assert "old against new: 6 rows: 1 better, 1 worse" in out


def test_two_runs_in_one_file_are_two_values(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = [
        write(tmp_path / f"{run}.csv", row(around(100 + run), run_id=f"r{run}")) for run in range(4)
    ]
    both = tmp_path / "both.csv"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    other = write(
        tmp_path / "other.csv", *(row(around(200 + run), run_id=f"s{run}") for run in range(4))
    )
    _, out, _ = run_cli(capsys, f"a={both}", f"b={other}", "--format", "json")
    (line,) = json.loads(out)["rows"]
    assert [one["basis"] for one in line["labels"]] == ["runs", "runs"]
    assert line["labels"][1]["against_reference"]["n"] == [4, 4]
    assert line["labels"][1]["against_reference"]["verdict"] == "better"
    _, screen, _ = run_cli(capsys, f"a={both}", f"b={other}")
    assert "4 runs of 5 rounds, 1 case: " in screen
    assert "offset" not in screen


def test_a_file_with_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", *(row(around(10), f"ddr/{name}") for name in "xyz"))
    code, out, _ = run_cli(capsys, path, path, "--fail-on", "worse,unclear,missing,n/a,failed")
    assert code == 0
    assert "a#2 against a#1: 3 rows: 3 same" in out
    assert "the same run appears under several labels" in out


def test_many_regressions_are_one_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = [row(around(10), f"ddr/n={number}") for number in range(20)]
    second = [row(around(5), f"ddr/n={number}", run_id="r2") for number in range(20)]
    a, b = write(tmp_path / "a.csv", *first), write(tmp_path / "b.csv", *second)
    code, out, err = run_cli(capsys, a, b, "--fail-on", "worse,failed", "--format", "json")
    assert code == 3
    assert err == "Found: 20 worse (--fail-on worse,failed)\n"
    assert json.loads(out)["counts"] == {"b": {"worse": 20}}
    assert run_cli(capsys, b, a, "--fail-on", "worse,failed")[0] == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 0, ""),
        (("--fail-on", "missing", "--cross-machine"), 3, "Found: 2 missing"),
        (("--fail-on", "failed", "--cross-machine"), 3, "Found: 1 failed"),
        (
            ("--fail-on", "worse"),
            1,
            "Error: --fail-on: the results are from different machines or devices: dev",
        ),
        (
            ("--fail-on", "worse", "--cross-machine"),
            1,
            "Error: --fail-on: 1 of 6 matched rows had",
        ),
        (("--fail-on", "better"), 2, "Error: Invalid value for '--fail-on': 'better' is not one"),
        (("--fail-on", ""), 2, "Error: Invalid value for '--fail-on': '' is not one of"),
        (("--status", "good"), 2, "Error: Invalid value for '--status': 'good' is not one of"),
        (("--ref", "old.csv"), 2, "Error: there is no label 'old.csv'"),
        (("--select", "hbm"), 4, "Error: no case matches 'hbm'"),
        (
            ("--select", "smem"),
            4,
            (
                "Error: the reference and the compared files have no measured case in common that "
                "matches --select\nHint: leave out --select"
            ),
        ),
    ],
)
def test_exit_codes(
    capsys: pytest.CaptureFixture[str],
    old: Path,
    new: Path,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    gone = code == 3 and "missing" in options
    if gone:  # a skipped case that had a value before also counts as lost
        rows = [*NEW[:-1], row((), LONG, tier=Tier.LINK, status=Status.SKIPPED, reason="busy")]
        write(new, *of_run("r2", [one for one in rows if one.case != LONG or one.reason]))
    ended, _, err = run_cli(capsys, old, new, *options)
    assert ended == code, err
    assert err.startswith(words)


@pytest.mark.parametrize("form", ["table", "md", "github"])
@pytest.mark.parametrize(
    ("status", "said"),
    [("n/a", "no row is n/a"), ("same,better,n/a", "no row is same, better or n/a"), ("worse", "")],
)
def test_a_status_that_no_row_has_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, status: str, said: str
) -> None:
    a = write(tmp_path / "a.csv", row(around(2), "ddr/x"))
    b = write(tmp_path / "b.csv", row(around(1), "ddr/x", run_id="r2"))
    code, out, _ = run_cli(capsys, a, b, "--status", status, "--format", form)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("no row")] == ([said] * bool(said))
    assert ("ddr/x" in out) == (not said)


def test_nothing_in_common_still_shows_what_there_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a = write(tmp_path / "a.csv", row(around(1), "ddr/x"))
    b = write(tmp_path / "b.csv", row(around(1), "ddr/y", run_id="r2"))
    code, out, err = run_cli(capsys, a, b)
    assert code == 4
    assert "1 only in a\n  ddr/x" in out
    assert "1 only in b\n  ddr/y" in out
    assert err.startswith(
        "Error: the reference and the compared files have no measured case in common"
    )


OTHER_TOOLS = [
    ("fio", "fio/3.42.json", ["ssd/read/pattern=rand/block=4KiB/qd=1/pages=4k"]),
    (
        "stream",
        "host/stream.txt",
        [
            f"ddr/{kernel}/size=31250KiB/threads=2/pages=4k/stores=plain"
            for kernel in ("copy", "scale", "add")
        ],
    ),
]


@pytest.mark.parametrize(("tool", "name", "cases"), OTHER_TOOLS)
def test_nothing_in_common_with_another_tool_names_the_command_that_measures_its_cases(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tool: str, name: str, cases: list[str]
) -> None:
    ours = write(
        tmp_path / "a.csv", row(around(1), "ddr/x"), row(around(1), "ssd/x", tier=Tier.SSD)
    )
    theirs = write(tmp_path / "b.csv", *imported(tool, DATA / name))
    code, _, err = run_cli(capsys, ours, theirs)
    assert code == 4
    hint = err.splitlines()[-1]
    start = "Hint: measure imported cases: membench "
    assert hint == f"{start}run {' '.join(f'--select {case}' for case in cases)}"
    with pytest.raises(SystemExit) as end:
        main([*shlex.split(hint.removeprefix(start)), "--dry-run"])
    assert end.value.code == 0
    planned = capsys.readouterr().out
    assert all(case in planned for case in cases)


def test_nothing_in_common_with_a_tool_whose_cases_no_run_has(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ours = write(tmp_path / "a.csv", row(around(1), "ddr/x"))
    theirs = write(tmp_path / "b.csv", *imported("mbw", DATA / "host" / "mbw.txt"))
    code, _, err = run_cli(capsys, ours, theirs)
    assert code == 4
    assert "Hint: no run of membench can measure the imported cases; docs/formats.md" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "have no tier in common: the reference has ssd; the compared files have ddr"),
        (("--select", "ddr/*"), "Hint: leave out --select, or select other cases"),
    ],
)
def test_cases_that_no_run_has_do_not_hide_another_reason(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    ours = write(tmp_path / "a.csv", row(around(1), "ssd/x", tier=Tier.SSD))
    theirs = write(tmp_path / "b.csv", *imported("mbw", DATA / "host" / "mbw.txt"))
    code, _, err = run_cli(capsys, ours, theirs, *arguments)
    assert code == 4
    assert expected in err


def test_nothing_in_common_of_other_tiers_asks_for_other_devices(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    a = write(tmp_path / "a.csv", row(around(1), "ddr/x"))
    code, _, err = run_cli(capsys, a, "--against", "ref:h100-sxm")
    assert code == 4
    assert "hbm, gpu, link; the compared files have ddr" in err
    assert "Hint: choose results of the same kind of device" in err
    assert "--select" not in err


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "1e400", "fast"])
def test_a_value_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], old: Path, value: str
) -> None:
    broken = old.with_name("broken.csv")
    write(broken, row((7.0,)))
    broken.write_text(broken.read_text().replace(",7.0,", f",{value},"))
    code, out, err = run_cli(capsys, old, broken)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "broken.csv: line 2: " in err
    assert "Traceback" not in err


def test_a_sidecar_of_another_run_is_not_believed(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path
) -> None:
    old.with_suffix(".json").write_text('{"schema": "membench.run/1", "plan": 1}')
    code, out, err = run_cli(capsys, old, new)
    assert code == 0
    assert "describes another run than" in err
    assert "another run than" not in out


def test_a_label_of_two_files_of_different_cases_still_has_one_run_a_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = [
        write(tmp_path / f"{name}.csv", row(around(1), f"ddr/{name}", run_id=name)) for name in "xy"
    ]
    both = write(tmp_path / "both.csv", row(around(1), "ddr/x"), row(around(1), "ddr/y"))
    _, out, _ = run_cli(capsys, f"a={parts[0]}", f"a={parts[1]}", f"b={both}")
    assert "each label has only one run" in out
    assert "b against a: 2 rows: 2 same" in out


def test_the_document_names_all_reasons_verdicts_and_thresholds() -> None:
    text = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="ascii")
    (reasons,) = re.findall(r"^\| `reason` \| `why` \| (.*) \|$", text, re.MULTILINE)
    assert reasons.split() == [f"`{reason}`" for reason in Reason]
    for name, one in PRESETS.items():
        limits = (
            one.of(Tier.DDR, Metric.BANDWIDTH),
            one.of(Tier.DDR, Metric.LATENCY),
            one.of(Tier.SSD, Metric.LATENCY),
        )
        assert f"| {name} | {' | '.join(f'{limit:.0%}'[:-1] + ' %' for limit in limits)} |" in text
        assert one.of(Tier.DDR, Metric.ENERGY) == one.of(Tier.DDR, Metric.LATENCY)
    assert all(f"`{GLYPH[verdict]} {verdict}`" in text for verdict in Verdict)


def test_verdicts_have_a_glyph_and_a_word(
    capsys: pytest.CaptureFixture[str], old: Path, new: Path
) -> None:
    _, out, _ = run_cli(capsys, old, new)
    found = set(re.findall(r" ([\^v=?-]) (better|worse|same|unclear|n/a)\b", out))
    assert found == set(zip("^v=?-", map(str, Verdict), strict=True))
    assert CASE.partition("/")[0] in out


def test_against_a_reference_the_rows_farthest_from_it_are_shown(tmp_path: Path) -> None:
    """The screen leaves out p99 latencies and rows without a verdict."""
    factors = {"a": 1.01, "b": 0.5, "c": 1.02, "d": 3.0}

    def rows(side: bool) -> list[Row]:
        made = [row(around(40 * (factors[name] if side else 1)), f"ddr/{name}") for name in factors]
        for stat in (Stat.P50, Stat.P99):
            latency = around(100.0 * (2 if side and stat is Stat.P99 else 1))
            made.append(row(latency, "host/x", metric=Metric.LATENCY, stat=stat))
        return made

    comparison = sides(
        write(tmp_path / "a.csv", *rows(False)), write(tmp_path / "b.csv", *rows(True))
    )
    whole = arrange(comparison)
    bandwidth, latency = shortened(whole, 4)
    assert [line.row.case for line in bandwidth.lines] == ["ddr/b", "ddr/d"]
    assert bandwidth.names == ("ddr/b", "ddr/d")
    assert bandwidth.left_out == 2
    assert [line.row.stat for line in latency.lines] == [Stat.P50]
    assert {mean.stat for mean in latency.means} <= {Stat.P50}
    assert [len(block.lines) for block in shortened(whole, 0)] == [1, 1]


def test_many_absent_cases_are_counted_and_failed_ones_are_named() -> None:
    cases = tuple(f"hbm/x{n}" for n in range(20))
    assert absent_cases(Absence("skipped", ("a",), "no GPU", cases)) == ["hbm 20"]
    assert absent_cases(Absence("skipped", ("a",), "no GPU", cases[:3])) == [*cases[:3]]
    assert absent_cases(Absence(str(Status.FAILED), ("a",), "broken", cases)) == [*cases]
