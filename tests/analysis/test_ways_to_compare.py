"""Comparisons within a file, by share of peak, with references, and of many files at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from compare_rows import around, of_run, row, run_cli, write

from membench.analysis.comparison import compare
from membench.analysis.references import find_reference, references
from membench.analysis.requests import sides_of
from membench.analysis.sides import make_sides_by
from membench.analysis.sources import read_source
from membench.analysis.verdict import Reason, Verdict
from membench.core.errors import MembenchError, UsageError
from membench.core.terms import PeakBasis, Status, Tier
from membench.results.compact.row import of_row
from membench.results.formats import importer
from membench.results.formats.figures import Origin
from membench.results.reference_files import reference_names, reference_root
from membench.results.schema import Row
from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """A results file of one run with two kinds of stores."""
    return write(
        tmp_path / "a.csv",
        row(around(20), "ddr/copy/size=1GiB/stores=plain"),
        row(around(30), "ddr/copy/size=1GiB/stores=nt"),
        row(around(20), "ddr/scale/size=1GiB/stores=plain"),
        row(around(20), "ddr/read/size=1GiB"),
    )


def test_by_a_part_of_the_case_ids(stores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_cli(capsys, stores, "--by", "stores", "--format", "json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert [label["label"] for label in data["labels"]] == ["plain", "nt"]
    (line,) = [one for one in data["rows"] if len(one["labels"][1]) > 2]
    assert line["case"] == "ddr/copy/size=1GiB"
    assert line["labels"][1]["against_reference"]["verdict"] == "better"
    assert data["unmatched"] == [
        {"kind": "only", "labels": ["plain"], "reason": "", "cases": ["ddr/scale/size=1GiB"]}
    ]
    code, out, _ = run_cli(capsys, stores, "--by", "stores", "--ref", "nt", "--fail-on", "worse")
    assert code == 3
    assert "plain against nt: 1 row: 1 worse" in out


@pytest.mark.parametrize("key", ["machine", "device", "driver", "backend"])
def test_by_a_column(tmp_path: Path, key: str) -> None:
    change: dict[str, Any] = {key: "cuda" if key == "backend" else "other", "run_id": "r2"}
    rows = [row(around(20), driver="1"), row(around(30), **{"driver": "1", **change})]
    sides = make_sides_by(key, [read_source(write(tmp_path / "a.csv", *rows))])
    assert sides[1].label == change[key]
    (line,) = compare(sides).lines
    expected = Verdict.NA if key == "backend" else Verdict.BETTER
    assert line.findings[0].verdict is expected


def test_by_what_cannot_be_meant(stores: Path) -> None:
    for arguments, message in (
        ({"by": "nonsense"}, "--by nonsense: no row has a value of this name, so"),
        ({"by": "size"}, "the only value in the files is '1GiB'"),
        ({"by": "stores", "reference": "xx"}, "there is no label 'xx'"),
        ({"by": "stores", "against": "ref:h100-sxm"}, "--against cannot be combined"),
        ({"reference": "a", "against": "ref:h100-sxm"}, "--against cannot be combined"),
        ({"against": "h100-sxm"}, "there is no reference 'h100-sxm'"),
        ({"against": "ref:../../x"}, "there is no reference"),
    ):
        with pytest.raises(UsageError, match=message):
            sides_of([str(stores)], **arguments)
    with pytest.raises(UsageError, match="--by cannot be combined with labels"):
        sides_of([f"x={stores}"], by="stores")
    with pytest.raises(UsageError, match="no results files were given"):
        sides_of([])


def test_normalize_compares_shares_of_peak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(peak: float, center: float, **more: Any) -> list[Any]:
        known: dict[str, Any] = {"peak": peak, "peak_basis": PeakBasis.SPEC, "tier": Tier.HBM}
        return [
            row(around(center), "hbm/copy", **known, **more),
            row(around(center), "hbm/unknown", tier=Tier.HBM, **more),
        ]

    small = write(tmp_path / "a.csv", *made(2000, 1800))
    large = write(tmp_path / "b.csv", *made(4000, 3200, run_id="r2", machine="b"))
    code, out, _ = run_cli(capsys, small, large, "--normalize", "peak", "--sort", "peak")
    assert code == 0
    assert "hbm bandwidth, % of peak (higher is better)" in out
    (line,) = [one for one in out.splitlines() if one.startswith("hbm/copy ")]
    assert "90.00" in line
    assert "80.00" in line
    assert "0.8889" in line
    assert "v worse" in line
    code, text, _ = run_cli(capsys, small, large, "--normalize", "peak", "--format", "json")
    assert json.loads(text)["rows"][0]["unit"] == "fraction-of-peak"
    assert (
        "1 skipped in box, b: the peak is unknown, so the value cannot be normalized\n  hbm/unknown"
        in out
    )


def test_against_a_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known: dict[str, Any] = {"tier": Tier.HBM, "backend": "cuda", "device": "a GPU"}
    mine = write(tmp_path / "a.csv", row(around(2900), "hbm/copy/size=256MiB/vec=16", **known))
    code, out, err = run_cli(capsys, mine, "--against", "ref:h100-sxm")
    assert (code, err) == (0, "")
    (line,) = [one for one in out.splitlines() if one.startswith("hbm/copy")]
    assert "2900 cited 87%" in line
    assert "? unclear (n=1/5)" in line
    assert "ref:h100-sxm: cited: Azure/AI-benchmarking-guide, Azure_Results/ND_H100_v5" in out
    assert "1 unclear: a published figure is a single value" in out
    code, _, err = run_cli(capsys, mine, "--against", "ref:h100-sxm", "--fail-on", "worse")
    assert code == 1  # the machines differ, and the reference has only one value
    code, _, err = run_cli(
        capsys, mine, "--against", "ref:h100-sxm", "--fail-on", "worse", "--cross-machine"
    )
    assert code == 1
    assert "too few rounds" in err


def test_a_comparison_with_a_reference_fits_on_a_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comparison of 32 common cases prints fewer than sixty lines, with every deciding line."""
    root = reference_root()
    assert root is not None
    (path,) = (root / "epyc-zen4-2cpu-vm").glob("*.csv")
    known = read_rows(path)
    cases = [*dict.fromkeys(one.case for one in known if one.status is Status.OK)][:32]
    skipped = f"{len({one.case for one in known if one.status is Status.SKIPPED})} skipped in"
    mine: list[Row] = []
    for one in known:
        if one.case in cases or one.status is not Status.OK:
            factor = 0.8 + 0.02 * (len(mine) % 25)
            values = tuple(factor * value for value in one.round_values[:5])
            changes: dict[str, Any] = {"run_id": "20261201T000000Z-beef", "machine": "mybox"}
            if values:
                changes |= {"round_values": values, "value": median(values), "rounds": 5}
                changes |= {"min": min(values), "max": max(values), "samples": ()}
            mine.append(replace(one, **changes))
    write(tmp_path / "mybox.csv", *mine)
    ref = "ref:epyc-zen4-2cpu-vm"
    code, out, _ = run_cli(capsys, tmp_path / "mybox.csv", "--against", ref)
    assert code == 0
    assert "32 cases in common" in out
    assert len(out.splitlines()) < 60
    blocks = re.findall(r"^\w+ \w+, \S+ \((?:higher|lower) is better\)$", out, re.MULTILINE)
    assert len(blocks) >= 5
    heads = rf"^case +{ref} +mybox +ratio to ref \[95% CI\] "
    assert len(re.findall(heads, out, re.MULTILINE)) == len(blocks)
    means = r"^geomean.* and \d+ more rows?, with smaller differences \(see --all\)$"
    assert len(re.findall(means, out, re.MULTILINE)) == len(blocks)
    for said in (" only in ref:epyc", skipped, "mybox against ref:epyc", "thresholds"):
        assert said in out
    for said in (
        "better",
        "worse",
        "unclear: ",
        "noisy: ",
        "unclear, but the best samples differ by at most ",
    ):
        assert len(re.findall(rf"\d+ {said}", out)) >= 1


def test_every_reference_says_where_it_comes_from() -> None:
    root = reference_root()
    assert root is not None
    assert len(reference_names()) >= 5
    kinds = set()
    for one in references():
        folder = root / one.name
        kinds.add(one.kind)
        assert one.title
        assert not one.title.startswith("#")
        rows = [item for source in one.sources for item in read_rows(source.path)]
        assert all(source.problem == "" for source in one.sources)
        if one.kind == "cited":
            data = (folder / "figures.toml").read_bytes()
            origin = Origin("cited", rows[0].run_id, "x", rows[0].started)
            assert importer("cited")(data, origin) == rows
            assert all(item.backend == "cited" and item.detail["source"] for item in rows)
        else:
            readme = (folder / "README.md").read_text(encoding="ascii")
            for source in one.sources:
                sidecar = read_sidecar(source.path)
                assert sidecar is not None
                assert verify_sha256(source.path, sidecar)
                assert "dirty" not in sidecar.plan.software
                assert sidecar.plan.rounds >= 5
                assert sidecar.plan.started[:10] in readme
            assert all(item.machine == one.name for item in rows)
        for path in folder.iterdir():
            text = path.read_text(encoding="ascii")
            assert not any(word in text for word in ("/home/", "/root", "/tmp", "/work"))
    assert kinds == {"cited", "measured"}
    with pytest.raises(MembenchError, match="there is no reference 'ref:'"):
        find_reference("ref:")


def test_references_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from membench.cli import main

    with pytest.raises(SystemExit):
        main(["list", "--references", "--json"])
    records = json.loads(capsys.readouterr().out)
    assert {record["kind"] for record in records} == {"cited", "measured"}
    assert all(record["cases"] for record in records)
    with pytest.raises(SystemExit):
        main(["list", "--references"])
    out = capsys.readouterr().out
    assert all(record["name"] in out for record in records)


def test_references_are_selected_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    from membench.cli import main

    with pytest.raises(SystemExit):
        main(["list", "--references", "--select", "h100", "--select", "ref:gh*", "--json"])
    names = [record["name"] for record in json.loads(capsys.readouterr().out)]
    assert names[:3] == ["ref:h100-nvl", "ref:h100-pcie", "ref:h100-sxm"]
    assert all(name.startswith("ref:gh") for name in names[3:])
    assert len(names) > 3


def test_a_reference_stands_wherever_a_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sides_of(["ref:h100-sxm", "newer=ref:h200-sxm"])
    assert (first.label, second.label) == ("ref:h100-sxm", "newer")
    code, out, err = run_cli(capsys, "ref:h100-sxm", "ref:h200-sxm")
    assert (code, err) == (0, "")
    assert "ref:h200-sxm against ref:h100-sxm: " in out
    with pytest.raises(UsageError, match="there is no reference 'ref:h2000'"):
        sides_of(["ref:h100-sxm", "ref:h2000"])


def test_normalize_without_any_peak_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = write(tmp_path / "a.csv", row(around(100)))
    code, _, err = run_cli(capsys, f"a={mine}", f"b={mine}", "--normalize", "peak")
    assert code == 4
    assert "with a value in the column 'peak'\nHint: leave out --normalize" in err


def test_a_label_of_many_files_is_named_shortly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        f"{'a' if number < 8 else 'b'}="
        + str(
            write(
                tmp_path / f"{number}.csv", *of_run(f"r{number}", [row(around(10 + number / 99))])
            )
        )
        for number in range(16)
    ]
    code, out, _ = run_cli(capsys, *files)
    assert code == 0
    assert "8 runs of 5 rounds, 1 case: " in out
    assert "3.csv and 4 more" in out


def test_imports_stand_in_one_table_with_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = "ddr/copy/size=256MiB/threads=all/pages=4k/stores=plain"
    ours = write(tmp_path / "ours.csv", row(around(25), case))
    data = Path(__file__).parents[1] / "results" / "formats" / "data" / "babelstream.csv"
    from membench.cli import main

    with pytest.raises(SystemExit) as end:
        main(
            ["import", "babelstream", str(data), "-o", str(tmp_path / "b.csv"), "--set", "tier=ddr"]
        )
    assert end.value.code == 0
    capsys.readouterr()
    code, out, _ = run_cli(capsys, f"ours={ours}", f"babelstream={tmp_path / 'b.csv'}")
    assert code == 0
    (line,) = [one for one in out.splitlines() if one.startswith(case)]
    assert "27.19 import" in line
    assert "? unclear (n=5/1)" in line
    assert "import at least 4 runs of the other tool under one label" in out
    assert "best-of in babelstream: " in out


def test_a_reason_is_given_for_every_number_that_is_not_there() -> None:
    lost = of_row(row((), status=Status.FAILED, reason="it broke"))
    assert lost.round_values == ()
    assert set(Reason) >= {Reason.FEW, Reason.WIDE}


@pytest.mark.parametrize(("column", "cell"), [("value", "40"), ("round_values", "0;20;20;20;20")])
def test_values_that_contradict_each_other_are_said_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, cell: str
) -> None:
    good = write(tmp_path / "good.csv", row(around(20)))
    edited = write(tmp_path / "edited.csv", *of_run("r2", [row(around(20))]))
    header, line = edited.read_text().splitlines()
    cells = line.split(",")
    cells[header.split(",").index(column)] = cell
    edited.write_text(f"{header}\n{','.join(cells)}\n")
    code, _, err = run_cli(capsys, good, edited)
    assert code == 1
    assert err.startswith(f"Error: {edited}: line 2: ")
    assert "Traceback" not in err
