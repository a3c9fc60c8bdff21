"""`membench import` and `membench export` in real processes: files, errors, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driver import ROOT, Membench

DATA = ROOT / "tests" / "results" / "formats" / "data"


@pytest.mark.slow
def test_from_another_tool_to_a_third(membench: Membench) -> None:
    done = membench("import", "fio", str(DATA / "fio.json"), "-o", "fio.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "fio.csv: 24 rows of 4 cases, format fio\n"
    done = membench("export", "bencher", "fio.csv")
    assert json.loads(done.stdout)["ssd/write/pattern=seq/block=1MiB/qd=4"]["iops"]["value"] > 1000
    done = membench("export", "github-action-benchmark", "fio.csv", "-o", "bench")
    assert done.stdout == "bench.bigger.json\nbench.smaller.json\n"
    done = membench("export", "openmetrics", "fio.csv", "-o", "s.prom")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["import", "xml", "x", "-o", "o.csv"], 2, "no import format 'xml'", "nvbandwidth"),
        (["export", "xml", "a.csv"], 2, "no export format 'xml'", "bencher"),
        (["import", "fio", "nowhere", "-o", "o.csv"], 1, "nowhere: cannot be read", ""),
        (["import", "fio", "a.csv", "-o", "a.csv"], 1, "nothing is overwritten", "-o"),
        (
            ["import", "fio", "a.csv", "-o", "o.csv"],
            1,
            "a.csv: the file is already a results file of membench",
            "without an import",
        ),
        (["import", "fio", "a.csv"], 2, "Missing option '-o'", "--help"),
        (
            ["import", "babelstream", "b", "-o", "o.csv"],
            2,
            "does not name the memory tier",
            "--set tier=ddr",
        ),
        (["import", "babelstream", "b", "-o", "o.csv", "--set", "x=1"], 2, "no key 'x'", "tier"),
        (["import", "fio", "b", "-o", "o.csv", "--set", "size=much"], 2, "not a size", "256MiB"),
        (["import", "fio", "b", "-o", "o.csv", "--set", "size=0B"], 2, "above 0", "size="),
        (["import", "fio", "b", "-o", "o.csv", "--set", "tier=moon"], 2, "not a value", "ddr"),
        (["import", "fio", "b", "-o", "o.csv", "--set", "pages=blue"], 2, "not a value", "thp"),
        (["import", "fio", "b", "-o", "o.csv", "--set", "threads=-5"], 2, "threads", "all"),
        (["import", "fio", "b", "-o", "o.csv", "--set", "machine=.."], 2, "no letter", "ASCII"),
        (["export", "bencher", "a.csv", "-o", "b"], 1, "b exists", ""),
        (["export", "bencher", "a.csv", "-o", "."], 1, ". is a directory", "name a file in that"),
        (["export", "github-action-benchmark", "a.csv"], 2, "writes 2 files", "-o bench"),
        (["export", "samples", "a.csv"], 4, "every row: 22 rows without samples", "parquet"),
        (["export", "samples", "b"], 1, "not a results file", "membench import"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    membench: Membench, arguments: list[str], code: int, error: str, hint: str
) -> None:
    reference = next((ROOT / "results" / "reference" / "h100-sxm").glob("*.csv"))
    Path(membench.directory, "a.csv").write_bytes(reference.read_bytes())
    Path(membench.directory, "b").write_bytes((DATA / "babelstream.csv").read_bytes())
    done = membench.refuses(*arguments)
    assert done.returncode == code
    first, *rest = done.stderr.splitlines()
    assert first.startswith("Error: ")
    assert error in first
    assert len(rest) <= 1
    assert hint in "".join(rest)
    assert not Path(membench.directory, "o.csv").exists()


@pytest.mark.parametrize(
    ("tool", "name", "given", "idle"),
    [
        ("fio", "fio/3.42.json", ["pages=thp"], []),
        ("fio", "fio/3.42.txt", ["machine=x", "pages=thp"], ["pages=thp"]),
        ("fio", "fio/3.42.json", ["tier=hbm", "size=4GiB", "threads=7"], None),
        ("stream", "host/stream.txt", ["tier=ddr", "device=EPYC", "threads=all"], []),
        ("stream", "host/stream.txt", ["tier=hbm", "stores=nt"], ["tier=hbm"]),
        ("babelstream", "babelstream.csv", ["tier=hbm", "size=256MiB", "device=B 200"], []),
        ("nvbandwidth", "nvbandwidth.json", ["size=1024MiB", "pages=4k"], ["pages=4k"]),
    ],
)
def test_a_property_that_no_row_gets_is_named(
    membench: Membench, tool: str, name: str, given: list[str], idle: list[str] | None
) -> None:
    settings = [word for one in given for word in ("--set", one)]
    done = membench("import", tool, str(DATA / name), "-o", "o.csv", *settings)
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
    assert warnings == [
        f"Warning: --set {one} has no effect: no row gets this value"
        for one in (given if idle is None else idle)
    ]


AWKWARD = DATA / "awkward"


def test_a_folder_is_read_file_by_file_and_what_is_none_of_the_tool_is_said(
    membench: Membench,
) -> None:
    folder = Path(membench.directory, "runs")
    (folder / "b").mkdir(parents=True)
    for place, name in (("1.json", "nvb-01-bidir-d2d.json"), ("b/2.txt", "nvb-06-text.txt")):
        (folder / place).write_bytes((AWKWARD / name).read_bytes())
    (folder / "b" / "again.txt").write_bytes((AWKWARD / "nvb-06-text.txt").read_bytes())
    (folder / "fio.json").write_bytes((DATA / "fio.json").read_bytes())
    (folder / "README.md").write_text("what this is\n")
    done = membench("import", "nvbandwidth", "runs", "-o", "o.csv", "--set", "machine=box")
    assert done.returncode == 0
    assert done.stdout.startswith("o.csv: 7 rows of 7 cases")
    said = done.stderr.splitlines()
    assert "not imported: 1 x a waived test without a name" in done.stderr
    assert "not read: runs/fio.json: the file is the output of fio, not of nvbandwidth" in said
    assert any(line.startswith("not read: runs/README.md: the file has no result") for line in said)
    done = membench.refuses("import", "stream", "runs", "-o", "p.csv")
    assert done.returncode == 1
    start = "Error: no stream file in runs: runs/1.json: the file is the output of nvb"
    assert done.stderr.startswith(start)


def test_files_are_named_one_by_one_and_one_that_cannot_be_read_is_an_error(
    membench: Membench,
) -> None:
    names = [str(AWKWARD / name) for name in ("bs-01-v34-mbytes.csv", "bs-03-v50-phase-block.csv")]
    done = membench("import", "babelstream", *names, "-o", "o.csv", "--set", "tier=ddr")
    assert done.stdout.startswith("o.csv: 10 rows of 5 cases")
    assert done.stderr.count("not imported: 1 x the phase ") == 2
    wrong = str(AWKWARD / "fio-22.json")
    done = membench.refuses(
        "import", "babelstream", names[0], wrong, "-o", "p.csv", "--set", "tier=ddr"
    )
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error == f"Error: {wrong}: the file is the output of fio, not of babelstream"
    assert hint == f"Hint: use the format fio: membench import fio {wrong} -o OUTPUT.csv"
    assert not Path(membench.directory, "p.csv").exists()


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ((DATA / "fio.json").read_bytes(), "membench import fio x.csv -o OUTPUT.csv"),
        ((AWKWARD / "nvb-06-text.txt").read_bytes(), "membench import nvbandwidth x.csv"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull --include=x.csv"),
        (b"\x1f\x8b\x08\0", "gzip -dc < "),
        (b'{"schema": "membench.run/1"}', "the CSV of the same run"),
    ],
)
def test_another_tools_file_given_as_results_is_answered_with_the_command_that_reads_it(
    membench: Membench, data: bytes, hint: str
) -> None:
    Path(membench.directory, "x.csv").write_bytes(data)
    done = membench.refuses("compare", "x.csv", "x.csv")
    assert done.returncode == 1
    assert hint in done.stderr.splitlines()[1]


@pytest.mark.slow
def test_parquet_and_openmetrics(membench: Membench) -> None:
    membench("import", "mbw", str(DATA / "host" / "mbw.txt"), "-o", "o.csv")
    done = membench("export", "openmetrics", "o.csv")
    assert done.stdout.endswith("# EOF\n")
    done = membench("export", "parquet", "o.csv", "-o", "o.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(membench.directory, "o.parquet").read_bytes()[:4] == b"PAR1"
