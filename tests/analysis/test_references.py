"""The built-in references: every figure has a case, and a machine finds its own reference."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import h100_box
import pytest
from compare_rows import run_cli

from membench.analysis.alike import is_cited, likeness_of
from membench.analysis.check.expected import expected_of
from membench.analysis.references import find_reference, references, references_of
from membench.cli import main
from membench.core.case import PROFILES
from membench.core.terms import Status
from membench.results.compact.row import Measurement, of_row
from membench.results.reference_files import files_of
from membench.results.schema import Row
from membench.results.table import write_rows


@cache
def measurable() -> tuple[Measurement, ...]:
    """Rows for every case of both profiles, on a simulated server with two GPUs."""
    found = [row for profile in PROFILES for row in h100_box.rows(profile, 2)]
    return tuple(of_row(row) for row in found)


FIGURES = [
    (one.name, row)
    for one in references()
    for source in one.sources
    for row in source.rows
    if is_cited(row)
]


def test_every_figure_has_a_case_in_a_profile() -> None:
    """Each figure has an equal or a similar case.

    Otherwise no result could be compared with the figure.
    """
    by_bench: dict[str, list[Measurement]] = {}
    for row in measurable():
        by_bench.setdefault("/".join(row.case.split("/")[:2]), []).append(row)
    lost = [
        f"{name}: {figure.case} ({figure.metric} {figure.stat})"
        for name, figure in FIGURES
        if not any(
            (row.metric, row.stat) == (figure.metric, figure.stat)
            and (found := likeness_of(figure, row)) is not None
            and found.alike
            for row in by_bench.get("/".join(figure.case.split("/")[:2]), ())
        )
    ]
    assert lost == []
    assert len(FIGURES) > 150


def test_every_figure_tells_how_far_it_can_be_trusted() -> None:
    for name, figure in FIGURES:
        said = figure.detail
        assert said["trust"] in ("a", "b"), (name, figure.case)
        assert said["kind"] in ("measured", "target", "derived", "datasheet")
        assert said["source"]
        assert said["date"]


def test_figures_that_were_wrong_are_gone() -> None:
    """Examples were GH200 values under the name H200, and copies of a slow host."""
    values = {(name, figure.case.split("/size")[0], figure.value) for name, figure in FIGURES}
    h200 = {value for name, case, value in values if (name, case) == ("h200-sxm", "hbm/read")}
    assert h200 == {4480}
    assert ("h100-sxm", "hbm/read", 3180) in values
    assert not {2750, 3888, 3890, 10200, 46.8} & {value for _, _, value in values}
    assert any(case.startswith("gpu/gemm/bf16") for _, case, _ in values)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_run_of_either_profile_has_cases_in_common_with_its_reference(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = h100_box.written(tmp_path / "a.csv", h100_box.rows(profile, 1), gpus=1, profile=profile)
    code, out, err = run_cli(capsys, run, "--against", "ref:h100-sxm", "--all")
    assert (code, err) == (0, "")
    common = next(line for line in out.splitlines() if "cases in common" in line)
    assert int(common.split()[0]) >= 15
    assert "alike: size 256MiB, here auto" in out


def test_the_nearest_case_is_shown_with_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        row
        for row in h100_box.rows("quick", 1)
        if row.case == "link/h2d/size=1MiB/mem=pinned/engine=ce/streams=1"
    ]
    run = h100_box.written(tmp_path / "a.csv", small, gpus=1)
    code, out, _ = run_cli(capsys, run, "--against", "ref:h100-sxm")
    assert code == 0
    assert "n/a (other case)" in out
    assert "the nearest case: size 256MiB, here 1MiB" in out


def test_of_equal_rows_the_first_gpu_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number of a GPU in an imported case id may have any number of digits."""
    (copy,) = [row for row in h100_box.rows("quick", 1) if row.case == "hbm/copy/size=auto/vec=16"]
    run = tmp_path / "a.csv"
    numbers = {"1" * 5000: 1000.0, "7": 2000.0, "3": 2900.0}
    write_rows(
        run,
        [
            replace(copy, case=f"{copy.case}/gpu={number}", value=value, round_values=(value,) * 5)
            for number, value in numbers.items()
        ],
    )
    code, out, err = run_cli(capsys, run, "--against", "ref:h100-sxm", "--all", "--format", "json")
    assert (code, err) == (0, "")
    lines = json.loads(out)["rows"]
    (line,) = [line for line in lines if line["case"] == "hbm/copy/size=256MiB/vec=16"]
    assert line["labels"][1]["against_reference"]["ratio"] == pytest.approx(1)


def test_either_side_may_be_the_published_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = h100_box.written(tmp_path / "a.csv", h100_box.rows("quick", 1), gpus=1)
    (figures,) = files_of(["ref:h100-sxm"])
    ratios = []
    for order, case in (
        ((run, f"ref={figures}"), "hbm/copy/size=auto/vec=16"),
        ((f"ref={figures}", run), "hbm/copy/size=256MiB/vec=16"),
    ):
        code, out, _ = run_cli(capsys, *order, "--all", "--format", "json")
        assert code == 0
        (line,) = [line for line in json.loads(out)["rows"] if line["case"] == case]
        ratios.append(line["labels"][1]["against_reference"]["ratio"])
    assert ratios[0] == pytest.approx(1 / ratios[1])


def test_a_machine_finds_its_references() -> None:
    rows = h100_box.rows("quick", 1)
    found = {one.reference for one in expected_of(["auto"], rows, h100_box.box(1))}
    assert found == {"ref:h100-sxm", "ref:xeon-8480"}
    other = {one.reference for one in expected_of(["ref:l40", "auto"], rows, None)}
    assert other == {"ref:l40", "ref:h100-sxm"}  # the number of sockets is unknown


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200-sxm"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80"),
        ("NVIDIA GH200 480GB", "gh200-96"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L40S", ""),
        ("NVIDIA H200 NVL", ""),
        ("NVIDIA GB200", "gb200-nvl"),
        ("xfs on /dev/nvme1n1 (Samsung SSD 990 PRO 2TB)", "ssd-samsung-990pro"),
        ("Intel(R) Xeon(R) Platinum 8480C", "xeon-8480"),
        ("Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz", "xeon-8480"),
        ("AMD EPYC", ""),
    ],
)
def test_names_of_devices(device: str, name: str) -> None:
    found = [one.name for one in references_of([device], 2, references())]
    assert found == ([name] if name else [])


def test_the_sockets_have_to_agree() -> None:
    xeon = [find_reference("ref:xeon-8480")]
    assert references_of(["Intel(R) Xeon(R) Platinum 8480+"], 1, xeon) == ()


def test_failed_rows_name_no_machine() -> None:
    rows: list[Row] = [row for row in h100_box.rows("quick", 1) if row.status is not Status.OK]
    assert expected_of(["auto"], rows, h100_box.box(1)) == ()


def test_a_reference_can_be_named_where_a_file_can(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    first, second = files_of([mine, "ref:h100-sxm"])
    assert first == mine
    assert second.parts[-2:] == ("h100-sxm", "figures.csv")


@pytest.mark.parametrize("command", ["check", "report", "advise"])
def test_a_reference_that_does_not_exist(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {
        "check": (),
        "report": ("-o", str(tmp_path / "o.html")),
        "advise": ("--model", "llama-3.1-8b", "--context", "4096"),
    }
    with pytest.raises(SystemExit) as end:
        main([command, "ref:nothing", *more[command]])
    assert end.value.code == 2
    assert "there is no reference 'ref:nothing'" in capsys.readouterr().err
