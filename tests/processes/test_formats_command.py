"""`membench import` and `membench export` in real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driver import ROOT, Membench

DATA = ROOT / "tests" / "record" / "formats" / "data"


def test_from_another_tool_to_a_third(membench: Membench) -> None:
    done = membench("import", "fio", str(DATA / "fio.json"), "-o", "fio.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "fio.csv: 24 rows of 4 cases (fio --output-format=json)\n"
    done = membench("export", "bencher", "fio.csv")
    assert json.loads(done.stdout)["ssd/write/pattern=seq/block=1MiB/qd=4"]["iops"]["value"] > 1000
    done = membench("export", "github-action-benchmark", "fio.csv", "-o", "bench")
    assert done.stdout == "bench.bigger.json\nbench.smaller.json\n"
    done = membench("export", "samples", "fio.csv", "-o", "s.csv")
    assert done.returncode == 0


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
            "a.csv: a results file of membench already",
            "as it is",
        ),
        (["import", "fio", "a.csv"], 2, "Missing option '-o'", "--help"),
        (["import", "babelstream", "b", "-o", "o.csv"], 2, "what memory", "--set tier=ddr"),
        (["import", "babelstream", "b", "-o", "o.csv", "--set", "x=1"], 2, "known key", "tier"),
        (["export", "samples", "a.csv", "-o", "b"], 1, "b exists", ""),
        (["export", "samples", "a.csv", "-o", "."], 1, ". is a directory", "name a file in it"),
        (["export", "github-action-benchmark", "a.csv"], 2, "is 2 files", "-o bench"),
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
