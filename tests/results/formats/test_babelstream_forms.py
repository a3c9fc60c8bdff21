"""Outputs of four BabelStream releases: run times and bandwidths in the output agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading_files import DATA, imported

ALL = sorted((DATA / "babelstream").iterdir())
ARRAYS = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "dot": 2}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_every_form_of_every_version(path: Path) -> None:
    found = imported("babelstream", path, tier="ddr")
    mean = "triad." in path.name or "isolated" in path.name
    words = {row.case.split("/")[1] for row in found}
    assert words == ({"triad"} if "triad." in path.name else set(ARRAYS))
    for row in found:
        assert "size=32MiB" in row.case
        assert row.bytes_moved == ARRAYS[row.case.split("/")[1]] * 2**25
        assert row.n == 4
        assert row.detail["statistic"] == ("mean" if mean else "best")
        assert ("best-of" in row.flags) != mean
    guessed = (path.suffix == ".txt" and path.name[0] in "34") or path.name == "5.0.txt"
    known = "triad." in path.name  # the file contains the number of elements
    assert ("size" in found[0].detail["assumed"]) == (guessed and not known)


@pytest.mark.parametrize("path", [one for one in ALL if "triad." not in one.name], ids=str)
def test_bandwidth_is_bytes_by_the_shortest_time(path: Path) -> None:
    lines = [line.replace(",", " ").split() for line in path.read_text().splitlines()]
    shortest = {line[0]: line[-3] for line in lines if line and line[0] in ("Copy", "Triad")}
    found = imported("babelstream", path, tier="ddr")
    for word, name in (("copy", "Copy"), ("triad", "Triad")):
        (row,) = (one for one in found if f"/{word}/" in one.case)
        assert row.bytes_moved is not None
        seconds = float(shortest[name])
        digits = 0.00001 / seconds if path.suffix == ".txt" else 1e-4
        assert row.value == pytest.approx(row.bytes_moved / seconds / 1e9, rel=digits)


def test_a_size_that_the_text_rounds_away_keeps_the_name_of_the_tool() -> None:
    text = (DATA / "babelstream" / "4.0.txt").read_text().replace("33.6 MB", "35.0 MB")
    cases = {row.case for row in imported("babelstream", text, tier="hbm")}
    assert "hbm/babelstream/copy/vec=16" in cases
    given = imported("babelstream", text, tier="hbm", size="35MiB")
    assert "hbm/copy/size=35MiB/vec=16" in {row.case for row in given}


def test_a_bad_line_takes_no_good_one_with_it() -> None:
    text = (DATA / "babelstream" / "3.4.csv").read_text()
    broken = text.replace("Mul,4", "Mull,4").replace("Add,4,4194304,8,", "Add,4,4194304,8,nan")
    found = imported("babelstream", broken + "Triad,4,419", tier="ddr")
    assert {row.case.split("/")[1] for row in found} == {"copy", "triad", "dot"}
    assert sum(found.unplaced.values()) == 3


def test_quoted_cells_are_read_and_a_failed_check_is_kept() -> None:
    head = "function,num_times,n_elements,sizeof,max_mbytes_per_sec,min_runtime,max_runtime"
    line = '"Copy","10","1048576","8","20000","0.1","0.2"'
    quoted = ",".join(f'"{name}"' for name in head.split(","))
    (row,) = imported("babelstream", f"{quoted}\n{line}\n", tier="ddr")
    assert (row.value, row.verified) == (20.0, None)
    failed = f"Validation failed on a[]. Average error 0.5\n{head}\n{line}\n"
    (row,) = imported("babelstream", failed, tier="ddr")
    assert row.verified is False
