"""`membench check` on a simulated server with eight H100: pass, fail and not judged."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import h100_box
import pytest
from history_files import make_history

from membench.analysis.check.device import judge_device
from membench.analysis.check.expectation import Expectation, expectations
from membench.analysis.check.expected import expected_of
from membench.analysis.check.machine import MachineCheck, check_machine
from membench.analysis.check.preconditions import PreconditionState, preconditions
from membench.analysis.check.reading import read_checked
from membench.analysis.check.requirements import failures, parse_requirements
from membench.analysis.check.rule import CheckVerdict
from membench.cli import main
from membench.core.errors import UsageError
from membench.core.plain import dump
from membench.core.snapshot import GpuFault
from membench.core.terms import Metric, Status, Tier
from membench.machine.gpus.state import GpuState
from membench.report.screens import judged
from membench.report.screens.check.junit import to_junit
from membench.report.screens.check.markdown import to_markdown
from membench.report.screens.check.words import SourceNumbers, cells
from membench.results.journal.reading import JournalEvent
from membench.results.schema import Row
from membench.results.sidecar import SCHEMA, Sidecar, write_sidecar
from membench.results.table import read_rows, write_rows

HALF = h100_box.scaled(0.5, "link/")
Change = Callable[[Row], Row]


def same(row: Row) -> Row:
    return row


@cache
def figures(expect: str) -> tuple[Expectation, ...]:
    """The figures that a healthy server with H100 must reach, from the source ``expect``."""
    return expected_of((expect,), h100_box.rows(), h100_box.box())


def checked(
    change: Change = same,
    states: dict[int, GpuState] | None = None,
    *,
    profile: str = "quick",
    expect: str = "auto",
    gpus: int = 8,
) -> MachineCheck:
    """The result of `check_machine` for the rows changed by ``change``."""
    rows = h100_box.judged(h100_box.rows(profile, gpus, change))
    healthy = {number: h100_box.state(number) for number in range(gpus)}
    return check_machine(rows, h100_box.box(gpus), figures(expect), healthy | (states or {}))


def verdict(check: MachineCheck, name: str) -> str:
    (line,) = [line for line in check.lines if line.name == name]
    return str(line.verdict)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``membench check ARGUMENTS``."""
    with pytest.raises(SystemExit) as end:
        main(["check", *map(str, arguments)])
    captured = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = h100_box.judged(h100_box.rows())
    return h100_box.written(tmp_path_factory.mktemp("healthy") / "a.csv", rows)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results file of a server whose fourth GPU has half of its link bandwidth."""
    rows = h100_box.judged(h100_box.rows("quick", 8, HALF))
    return h100_box.written(tmp_path_factory.mktemp("half") / "a.csv", rows)


def test_a_healthy_box_is_right(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, healthy, "--require", "gpu=8", "--require", "ddr")
    assert (code, err) == (0, "")
    assert out.startswith("h100-box: every judged line passes")
    assert "compared with ref:h100-sxm, ref:xeon-8480" in out
    (line,) = [line for line in out.splitlines() if line.startswith("hbm   GPU memory copy")]
    assert line.split()[4:] == ["2936", "GB/s", "2900", "101%", "=", "pass", "[2]"]
    assert "[2] ref:h100-sxm: Azure/AI-benchmarking-guide" in out
    assert out.isascii()


def test_half_a_link_ends_in_3_and_names_the_gpu(
    half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, half)
    assert (code, err) == (3, "")
    answer = out.splitlines()[0]
    assert "the check failed" in answer
    assert "GPU 3: host to GPU: fail (50% of the expected speed)" in answer
    assert "GPU 3: GPU to host: fail (50% of the expected speed)" in answer
    assert not any(f"GPU {number}" in out for number in (0, 1, 2, 4, 5, 6, 7))
    assert (
        "GPU 3 is an outlier: slower than its peers in 8 cases; the largest factor is 2.00, "
        "in link/d2h/size=64MiB" in out
    )


def test_a_slow_latency_has_the_same_share_everywhere() -> None:
    def slow(row: Row) -> Row:
        if not row.case.startswith("host/chase") or row.value is None:
            return row
        return replace(row, value=2 * row.value, round_values=(), samples=(), min=None, max=None)

    rows = h100_box.judged(h100_box.rows("quick", 8, slow))
    check = checked(slow)
    (failure,) = wrong = failures(check, parse_requirements([]))
    assert failure == "DDR latency: fail (50% of the expected speed)"
    (line,) = [line for line in check.lines if line.name == "DDR latency"]
    assert cells(line, SourceNumbers()).share == "50%"
    rungs = judged.judged_ladder(rows, check)
    assert "50%" in [judged.share_text(one) for one in rungs if line in one.lines]
    assert "DDR latency: fail (50% of the expected speed)" in to_markdown("box", check, wrong)
    assert "fail (50% of the expected speed)" in to_junit("box", check, (), ())


def test_a_link_of_half_its_width_is_named_although_its_copies_would_pass() -> None:
    def narrow(row: Row) -> Row:
        there = row.case.startswith("link/") and row.case.endswith("/gpu=3")
        return replace(row, detail={**row.detail, "pcie": "gen5x8"}) if there else row

    check = checked(narrow)
    (bad,) = [one for one in check.preconditions if one.state is PreconditionState.BAD]
    assert (bad.device, bad.seen) == (3, "PCI Express 5.0 x8 of 5.0 x16")
    assert failures(check, parse_requirements([])) == (
        "GPU 3: link: PCI Express 5.0 x8 of 5.0 x16",
    )


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_profile_is_judged(profile: str) -> None:
    check = checked(profile=profile, gpus=1)
    assert failures(check, parse_requirements(["gpu=1"])) == ()
    judged = [line for line in check.lines if line.verdict is CheckVerdict.GOOD]
    assert {line.tier for line in judged} >= {Tier.HBM, Tier.LINK, Tier.DDR}
    assert len(judged) >= 10


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.0, "pass"), (0.93, "look"), (0.85, "fail"), (1.03, "pass")]
)
def test_the_worst_gpu_decides_a_line(factor: float, expected: str) -> None:
    check = checked(h100_box.scaled(factor, "hbm/copy", gpu=5))
    assert verdict(check, "GPU memory copy") == expected
    (line,) = [line for line in check.lines if line.name == "GPU memory copy"]
    if expected != "pass":
        assert line.worst.device == 5


@pytest.mark.parametrize(
    ("reference", "bench", "low", "high"),
    [
        ("h100-sxm", "hbm/read", 3050, 3250),
        ("h100-sxm", "hbm/write", 2950, 3250),
        ("h100-sxm", "hbm/copy", 2850, 3040),
        ("h100-sxm", "hbm/triad", 2950, 3100),
        ("h100-sxm", "link/h2d", 50, 56),
        ("h100-sxm", "link/d2h", 50, 56),
        ("h200-sxm", "hbm/read", 4400, 4650),
        ("h200-sxm", "hbm/copy", 3950, 4150),
        ("h200-sxm", "hbm/triad", 4100, 4300),
    ],
)
def test_what_healthy_gpus_give_passes(reference: str, bench: str, low: float, high: float) -> None:
    """Healthy GPUs have values in these bands, according to several tools on several hosts."""
    one = next(
        row
        for row in h100_box.rows("quick", 1)
        if row.case.startswith((f"{bench}/size=auto/vec=16", f"{bench}/size=64MiB"))
    )
    figures_of_bench = [
        figure for figure in figures(f"ref:{reference}") if figure.case.startswith(f"{bench}/")
    ]
    for value, verdict_ in ((low, "pass"), (high, "pass"), (0.85 * low, "fail")):
        row = replace(one, value=value, round_values=(value,), peak=None, max=None, min=None)
        assert judge_device([row], figures_of_bench).verdict == verdict_


def test_more_than_the_peak_is_a_fault_of_measurement() -> None:
    check = checked(h100_box.scaled(1.2, "hbm/read"))
    assert verdict(check, "GPU memory read") == "measurement fault"
    assert any("above the peak" in one for one in failures(check, parse_requirements([])))


def test_a_best_is_compared_with_a_best() -> None:
    """BabelStream reports its best repetition, so a lower median does not fail the check."""

    def scattered(row: Row) -> Row:
        if not row.case.startswith("hbm/triad") or row.value is None:
            return row
        return replace(row, value=0.9 * row.value, max=row.value, min=0.8 * row.value)

    (line,) = [one for one in checked(scattered).lines if one.name == "GPU memory triad"]
    assert (line.verdict, line.worst.best) == (CheckVerdict.GOOD, True)


class TestNothingPassesForWantOf:
    """A missing row, figure or precondition never gives the verdict pass."""

    def test_a_row(self) -> None:
        def gone(row: Row) -> Row:
            if not row.case.startswith("link/h2d") or not row.case.endswith("/gpu=6"):
                return row
            return replace(
                row,
                status=Status.SKIPPED,
                value=None,
                rounds=0,
                round_values=(),
                spread=None,
                reason="it was busy",
            )

        check = checked(gone)
        (line,) = [line for line in check.lines if line.name == "host to GPU"]
        assert (line.verdict, line.worst.device) == (CheckVerdict.NOT_JUDGED, 6)
        assert line.worst.why == "skipped: it was busy"
        assert failures(check, parse_requirements([])) == ()
        assert "host to GPU: not judged" in failures(check, parse_requirements([]), ["not-judged"])

    def test_a_figure(self) -> None:
        check = checked(expect="ref:l40")
        assert check.tiers[Tier.DDR] is CheckVerdict.NOT_JUDGED
        assert "ddr is not judged" in failures(check, parse_requirements(["ddr"]))

    def test_a_state(
        self, healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A results file without its sidecar, or with changed CSV text, has no GPU state."""
        alone = tmp_path / "alone.csv"
        alone.write_bytes(healthy.read_bytes())
        code, out, _ = run(capsys, alone)
        assert (code, out.count("= pass [")) == (0, 0)
        assert "not judged: each line gives the reason" in out
        code, _, _ = run(capsys, alone, "--require", "gpu=8")
        assert code == 3
        alone.with_suffix(".json").write_bytes(healthy.with_suffix(".json").read_bytes())
        rows = read_rows(alone)
        alone.unlink()
        write_rows(alone, [replace(rows[0], flags=("noisy",)), *rows[1:]])
        code, out, err = run(capsys, alone)
        assert (code, out.count("= pass [")) == (0, 0)
        assert "was changed after its run: its numbers may be wrong" in err

    def test_all_gpus(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        every = h100_box.judged(h100_box.rows())
        rows = [row for row in every if not row.case.endswith("/gpu=7")]
        short = h100_box.written(tmp_path / "a.csv", rows)
        assert run(capsys, short, "--require", "gpu=7")[0] == 0
        code, out, _ = run(capsys, short, "--require", "gpu=8")
        assert code == 3
        assert "8 GPUs are required; number of measured GPUs: 7" in out

    def test_any_gpu(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def skipped(row: Row) -> Row:
            if row.backend != "cuda":
                return row
            return replace(
                row,
                status=Status.SKIPPED,
                value=None,
                rounds=0,
                n=0,
                round_values=(),
                spread=None,
                bytes_convention=None,
                peak=None,
                peak_basis=None,
                reason="no NVIDIA GPU was found",
            )

        rows = h100_box.judged(h100_box.rows("quick", 8, skipped))
        none = h100_box.written(tmp_path / "a.csv", rows)
        code, out, _ = run(capsys, none, "--expect", "ref:h100-sxm", "--strict")
        assert code == 3
        assert "skipped: no NVIDIA GPU was found" in out

    def test_a_case_that_failed(self) -> None:
        def failed(row: Row) -> Row:
            if not row.case.startswith("hbm/read") or not row.case.endswith("/gpu=2"):
                return row
            return replace(
                row,
                status=Status.FAILED,
                value=None,
                rounds=0,
                round_values=(),
                spread=None,
                reason="round 1: the sum is wrong",
            )

        check = checked(failed)
        assert failures(check, parse_requirements([])) == (
            "GPU 2: GPU memory read: fail, the case failed: round 1: the sum is wrong",
        )


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"power_limit": 400.0}, "power limit: 400 W of 700 W"),
        ({"mig": True}, "MIG: on, so only a MIG instance was measured"),
        ({"sm_mhz_set": 1200}, "clock: set to 1200 MHz; maximum: 1980 MHz"),
    ],
)
def test_a_gpu_that_is_set_up_otherwise_does_not_fail_for_it(
    change: dict[str, object], seen: str
) -> None:
    slow = checked(h100_box.scaled(0.8, "hbm/"), {3: h100_box.state(3, **change)})
    (line,) = [line for line in slow.lines if line.name == "GPU memory read"]
    assert line.verdict is CheckVerdict.NOT_JUDGED
    assert line.worst.why == f"not comparable: {seen}"
    fast = checked(states={3: h100_box.state(3, **change)})
    assert verdict(fast, "GPU memory read") == "pass"  # the check passes too


@pytest.mark.parametrize(
    ("change", "seen"),
    [({"ecc_errors": 2}, "GPU 3: ECC: 2 uncorrected errors since the driver was loaded")],
)
def test_a_gpu_that_is_not_right_fails_although_it_is_fast(
    change: dict[str, object], seen: str
) -> None:
    check = checked(states={3: h100_box.state(3, **change)})
    assert failures(check, parse_requirements([])) == (seen,)


def test_a_gpu_that_is_lost_is_named() -> None:
    machine = h100_box.box(8)
    lost = GpuFault(7, "it has fallen off the bus", "reboot")
    machine = replace(machine, gpus=replace(machine.gpus, faults=(lost,)))
    rows = [row for row in h100_box.judged(h100_box.rows()) if not row.case.endswith("/gpu=7")]
    healthy = {number: h100_box.state(number) for number in range(7)}
    check = check_machine(rows, machine, figures("auto"), healthy)
    assert failures(check, parse_requirements(["gpu=8"])) == (
        "GPU 7: health: it has fallen off the bus",
        "8 GPUs are required; number of measured GPUs: 7",
    )


@pytest.mark.parametrize(
    ("word", "fails"), [("heat (hardware)", True), ("power brake", True), ("power cap", False)]
)
def test_heat_is_a_fault_and_a_power_cap_is_how_gpus_work(word: str, fails: bool) -> None:
    def slowed(row: Row) -> Row:
        there = row.case.startswith("gpu/gemm") and row.case.endswith("/gpu=1")
        if not there:
            return row
        return replace(row, flags=("throttled",), detail={**row.detail, "slowdown": word})

    found = failures(checked(slowed), parse_requirements([]))
    assert bool(found) is fails
    assert not fails or found == (f"GPU 1: clocks: {word}",)


def test_a_gpu_without_known_links_does_not_get_the_links_of_another() -> None:
    machine = h100_box.box()
    _unlisted, second, *others = machine.links
    links = (replace(second, width_max=32), *others)  # NVML does not list GPU 0
    found = preconditions(
        h100_box.rows(),
        replace(machine, links=links),
        {number: h100_box.state(number) for number in range(8)},
        {},
    )
    assert [one.device for one in found if one.state is PreconditionState.BAD] == [1]


def test_company_excuses_a_low_figure() -> None:
    def shared(row: Row) -> Row:
        row = h100_box.scaled(0.6, "hbm/", gpu=0)(row)
        return replace(row, flags=("busy-gpu",)) if row.case.endswith("/gpu=0") else row

    check = checked(shared)
    assert verdict(check, "GPU memory copy") == "not judged"
    assert failures(check, parse_requirements([])) == ()
    assert failures(check, parse_requirements(["gpu=8"])) == ("GPU 0: hbm is not judged",)


def test_a_requirement_counts_the_measured_gpus() -> None:
    def shared(row: Row) -> Row:
        row = h100_box.scaled(0.6, "hbm/", gpu=3)(row)
        return replace(row, flags=("busy-gpu",)) if row.case.endswith("/gpu=3") else row

    rows = [
        row
        for row in h100_box.judged(h100_box.rows("quick", 8, shared))
        if not row.case.endswith(("/gpu=0", "/gpu=1"))
    ]
    healthy = {number: h100_box.state(number) for number in range(8)}
    check = check_machine(rows, h100_box.box(8), figures("auto"), healthy)
    assert failures(check, parse_requirements(["gpu=5"])) == ()
    assert failures(check, parse_requirements(["gpu=6"])) == ("GPU 3: hbm is not judged",)
    assert failures(check, parse_requirements(["gpu=7"])) == (
        "7 GPUs are required; number of measured GPUs: 6",
        "GPU 3: hbm is not judged",
    )


def test_a_link_with_an_endless_number_is_unknown() -> None:
    def odd(row: Row) -> Row:
        text = "gen" + "1" * 5000 + "x16"
        return replace(row, detail={**row.detail, "pcie": text} if "pcie" in row.detail else {})

    check = checked(odd, gpus=1)
    assert all(one.state is not PreconditionState.BAD for one in check.preconditions)


@pytest.mark.parametrize("states", [5, None, [{"uuid": 1}]])
def test_a_sidecar_with_an_invalid_state_is_not_used(tmp_path: Path, states: object) -> None:
    path = h100_box.written(tmp_path / "a.csv", h100_box.judged(h100_box.rows()))
    sidecar = path.with_suffix(".json")
    content = json.loads(sidecar.read_text())
    content["notes"][0]["data"]["states"] = states
    sidecar.write_text(json.dumps(content))
    found = read_checked([path], ["auto"])
    assert any("; the file is not used" in str(one) for one in found.problems)
    (cpus,) = [one for one in found.check.preconditions if one.name == "CPUs"]
    assert cpus.state is PreconditionState.UNKNOWN


def test_the_rows_of_a_run_on_one_gpu_belong_to_this_gpu(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = h100_box.judged(h100_box.rows(gpus=1))
    write_rows(path, rows)
    states = [dump(h100_box.state(0, ecc_errors=1)), dump(h100_box.state(1))]
    note = JournalEvent("gpu", {"round": 1, "states": states})
    plan = replace(h100_box.plan("quick", 1), device="cuda:1")
    sidecar = Sidecar(plan=plan, machine=dump(h100_box.box()), notes=(note,))
    write_sidecar(path, sidecar)
    for check in (
        read_checked([path], ["auto"]).check,
        judged.checked(rows, h100_box.box(), sidecar),
    ):
        assert check is not None
        assert failures(check, parse_requirements(["gpu=1"])) == ()
        assert {one.device for line in check.lines for one in line.devices} == {None, 1}


def test_a_pair_of_the_peer_matrix_is_named() -> None:
    check = checked(h100_box.scaled(0.5, "peer/", gpu=2))
    assert [one.name for one in check.stragglers] == ["GPU 3 to GPU 2"]
    assert failures(check, parse_requirements([]), ["straggler"]) == (
        "GPU 3 to GPU 2 is slower than the others",
    )


def test_a_cell_of_an_imported_matrix_is_named() -> None:
    """p2pBandwidthLatencyTest prints a matrix of GPU pairs.

    The link from GPU 0 to GPU 5 is slower.
    """
    (like,) = [
        row
        for row in h100_box.rows("quick", 2)
        if row.case == "peer/write/size=256MiB/engine=ce/gpu=0"
    ]
    matrix = [
        replace(
            like,
            case=f"link/cuda-samples/test=p2p/op={op}/src={src}/dst={dst}",
            value=(390 if (src, dst) != (0, 5) else 320) + 0.2 * ((src + dst) % 3),
            round_values=(),
            detail={},
        )
        for op in ("writes", "reads")
        for src in range(8)
        for dst in range(8)
        if src != dst
    ]
    check = check_machine(matrix, None, ())
    assert [one.name for one in check.stragglers] == ["GPU 0 to GPU 5"]
    (found,) = check.stragglers
    assert len(found.slow) == 2


def test_against_a_file_of_its_own(
    healthy: Path, half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, healthy, "--expect", healthy)
    assert code == 0
    assert out.count("= pass [") >= 20  # including latencies, peers and disk
    code, out, _ = run(capsys, half, "--expect", healthy)
    assert code == 3
    assert "GPU 3: host to GPU: fail" in out


@pytest.mark.parametrize(("factor", "verdict"), [(0.85, "? worse than before"), (1.15, "= pass")])
def test_a_level_that_became_worse_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float, verdict: str
) -> None:
    """After enough slow runs, a slow run is inside the noise band of the present level."""
    box = make_history(tmp_path / "box", 30, scatter=0.005, shifts={3: (18, factor)})
    latest = max(box.glob("*.csv"))
    code, out, _ = run(capsys, latest, "--expect", "history")
    assert code == 0
    (line,) = re.findall(r"^ssd +SSD sequential read .*", out, re.MULTILINE)
    assert verdict in line
    assert ("worse at the run of 2026-01-19" in out) is (factor < 1)


@pytest.mark.parametrize("factor", [0.9, 0.85])
def test_a_run_as_fast_as_before_the_level_became_worse_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float
) -> None:
    """The repaired machine is compared with the runs before the change."""
    box = make_history(tmp_path / "box", 30, scatter=0.005, shifts={3: (18, factor)})
    latest = max(box.glob("*.csv"))
    repaired = [
        replace(
            row,
            value=row.value / factor,
            round_values=tuple(one / factor for one in row.round_values),
        )
        for row in read_rows(latest)
        if row.value is not None and row.tier is Tier.SSD and row.metric is Metric.BANDWIDTH
    ]
    now = tmp_path / "box" / "now.csv"
    latest.unlink()
    write_rows(now, repaired)
    code, out, _ = run(capsys, now, "--expect", "history")
    assert code == 0
    (line,) = re.findall(r"^ssd +SSD sequential read .*", out, re.MULTILINE)
    assert "= pass" in line
    assert "history: the runs before 2026-01-19" in out


def test_against_its_own_history(
    half: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = [
        row
        for row in h100_box.judged(h100_box.rows())
        if row.case.startswith(("link/", "ddr/read"))
    ]
    for number in range(6):
        factor = 1 + 0.002 * (number % 3)

        def drifted(row: Row, factor: float = factor, number: int = number) -> Row:
            assert row.value is not None
            values = tuple(value * factor for value in row.round_values)
            run = f"20260{number + 1}01T000000Z-aaaa"
            return replace(row, value=row.value * factor, round_values=values, run_id=run)

        write_rows(tmp_path / f"{number}.csv", map(drifted, few))
    now = tmp_path / "now.csv"
    now.write_bytes(half.read_bytes())
    now.with_suffix(".json").write_bytes(half.with_suffix(".json").read_bytes())
    code, out, err = run(capsys, now, "--expect", "history")
    assert (code, err) == (3, "")
    assert "GPU 3: host to GPU: fail (50% of the expected speed)" in out
    assert "history: 6 runs since 2026-01-01 00:00" in out
    assert "= pass [1]" in out
    changed = []
    for row in few:
        assert row.value is not None
        values = tuple(value * 0.5 for value in row.round_values)
        run_id = "20260801T000000Z-bbbb"
        changed.append(replace(row, value=row.value * 0.5, round_values=values, run_id=run_id))
    write_rows(tmp_path / "9_b.csv", changed)
    (tmp_path / "now_copy.csv").write_bytes(now.read_bytes())
    pair = {"side": "b", "versus": "pages=4k"}
    sidecar = {"schema": SCHEMA, "plan": {"pair": pair}}
    (tmp_path / "9_b.json").write_text(json.dumps(sidecar))
    code, out, err = run(capsys, now, "--expect", "history")
    assert "history: 6 runs since 2026-01-01 00:00" in out
    (tmp_path / "copy.csv").write_bytes((tmp_path / "4.csv").read_bytes())
    for number in range(4):
        (tmp_path / f"{number}.csv").unlink()
    code, _, err = run(capsys, now, "--expect", "history")
    assert code == 2
    assert "needs at least 3 other runs of this machine; found 2 in " in err


@pytest.mark.parametrize("form", ["table", "md", "json", "github", "junit"])
def test_every_form_names_the_gpu(
    form: str,
    half: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, err = run(capsys, half, "--format", form)
    assert (code, err) == (3, "")
    assert "GPU 3" in out
    assert out.isascii()
    if form == "json":
        data = json.loads(out)
        assert (data["schema"], data["right"]) == ("membench.check/1", False)
        (line,) = [one for one in data["lines"] if one["name"] == "host to GPU"]
        assert [one["verdict"] for one in line["devices"]] == [
            "fail" if number == 3 else "pass" for number in range(8)
        ]
        assert line["devices"][3]["share"] == pytest.approx(0.5, abs=0.01)
    elif form == "github":
        # In the text, a colon is allowed.
        assert "::error title=membench check h100-box::GPU 3%3A" not in out
        assert "::error title=membench check h100-box::GPU 3: host to GPU: fail (50%25 of" in out
        assert "| link | host to GPU | 27.59 GB/s |" in summary.read_text()
    elif form == "junit":
        suite = ET.fromstring(out.encode())
        failed = [one.get("name") for one in suite if one.find("failure") is not None]
        assert failed == [
            "GPU 3: host to GPU",
            "GPU 3: GPU to host",
            "GPU 3: GPU to host, copied by a kernel",
        ]
        assert suite.get("failures") == "3"
        assert suite.get("tests") == str(len(suite))


def test_junit_counts_what_is_required_and_missing(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("--format", "junit", "--require", "ssd", "--fail-on", "not-judged")
    code, out, _ = run(capsys, healthy, *ask)
    suite = ET.fromstring(out.encode())
    failed = {one.get("name") for one in suite if one.find("failure") is not None}
    assert code == 3
    assert {"ssd is not judged", "SSD sequential read", "GPU 0: L2 read"} <= failed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--require", "gpu=0"), "is not a possible number of GPUs"),
        (("--require", "gpu=many"), "is not a possible number of GPUs"),
        (("--require", "gpu=0010240"), "is not a possible number of GPUs"),
        (("--require", "disks"), "use gpu=N, or a tier"),
        (("--fail-on", "sleep"), "'sleep' is not one of look, not-judged, straggler"),
        (("--expect", "ref:nothing"), "there is no reference 'ref:nothing'"),
        (("-o", "x.csv"), "cannot be combined with FILE"),
    ],
)
def test_what_cannot_be_meant(
    arguments: tuple[str, ...], message: str, healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, healthy, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_check_is_of_one_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = h100_box.rows("quick", 1)
    two = [rows[0], replace(rows[0], machine="another", run_id="r2")]
    write_rows(tmp_path / "two.csv", two)
    code, _, err = run(capsys, tmp_path / "two.csv")
    assert code == 2
    assert "from h100-box, another" in err


def test_a_file_without_rows_is_refused(
    healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(healthy.read_text(encoding="ascii").splitlines()[0] + "\n", encoding="ascii")
    code, _, err = run(capsys, empty)
    assert (code, "the results have no rows" in err) == (2, True)


def test_a_word_twice_is_one_requirement() -> None:
    found = parse_requirements(["gpu=8,hbm", "hbm", "link"])
    assert (found.gpus, found.tiers) == (8, (Tier.HBM, Tier.LINK))
    with pytest.raises(UsageError):
        parse_requirements([""])


def test_data_sheets_are_compared_at_their_depth_alone(tmp_path: Path) -> None:
    from membench.results.compact.row import of_row

    rows = [
        row
        for row in h100_box.rows("quick", 1)
        if row.metric is Metric.IOPS and "pattern=rand/block=4KiB/qd=32" in row.case
    ]
    sheet = replace(
        rows[0],
        backend="cited",
        value=460e3,
        round_values=(460e3,),
        rounds=1,
        spread=None,
        detail={"kind": "datasheet", "trust": "b", "alike": "qd from 16", "source": "a sheet"},
    )
    for depth, trust, verdict_, brief in (
        ("", "b", CheckVerdict.NOT_JUDGED, "data sheet"),
        ("64", "b", CheckVerdict.NOT_JUDGED, "other queue depth"),
        ("32", "b", CheckVerdict.GOOD, ""),
        ("32", "c", CheckVerdict.NOT_JUDGED, "doubtful figure"),
    ):
        detail = {**sheet.detail, "trust": trust, **({"depth": depth} if depth else {})}
        line = judge_device(rows, expectations("ref:x", [of_row(replace(sheet, detail=detail))]))
        assert (line.verdict, line.brief) == (verdict_, brief)
        assert line.share == pytest.approx(450 / 460)


@pytest.mark.parametrize(
    ("flags", "rounds", "expected", "brief"),
    [
        (("noisy",), (496.0, 951.0, 724.0), CheckVerdict.LOOK, "too noisy"),
        ((), (496.0, 951.0, 724.0), CheckVerdict.FAIL, ""),
        (("noisy",), (496.0, 800.0, 724.0), CheckVerdict.FAIL, ""),
    ],
)
def test_a_row_too_noisy_to_judge_does_not_fail(
    flags: tuple[str, ...], rounds: tuple[float, ...], expected: CheckVerdict, brief: str
) -> None:
    from membench.results.compact.row import of_row

    row = next(
        row
        for row in h100_box.rows("quick", 1)
        if row.metric is Metric.IOPS and "pattern=rand/block=4KiB/qd=32" in row.case
    )
    good = replace(row, value=930.0, rounds=3, round_values=(920.0, 930.0, 940.0), spread=0.02)
    bad = replace(row, value=724.0, rounds=3, round_values=rounds, spread=0.41, flags=flags)
    line = judge_device([bad], expectations("good.csv", [of_row(good)]))
    assert (line.verdict, line.brief) == (expected, brief)


def asked_for(row: Row) -> Row:
    """``row`` with ``size=256MiB`` and an older bench version."""
    case = row.case.replace("size=auto", "size=256MiB")
    older = case != row.case and row.status is Status.OK
    return replace(row, case=case, case_version=row.case_version - 1) if older else row


def test_a_size_that_was_asked_for_is_beside_auto_without_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = h100_box.judged(h100_box.rows())
    older = [asked_for(row) for row in rows]
    assert older != rows
    mine = h100_box.written(tmp_path / "mine.csv", rows)
    write_rows(tmp_path / "older.csv", older)
    _, out, _ = run(capsys, mine, "--expect", tmp_path / "older.csv")
    (line,) = [one for one in out.splitlines() if one.startswith("ddr   DDR copy ")]
    assert "430.0 GB/s" in line
    assert "100%  - other size [1]" in line
    assert (
        "other size: the nearest expected value is for another case: size 256MiB, here auto" in out
    )
    cached = [replace(row, flags=(*row.flags, "cache-served")) for row in older]
    write_rows(tmp_path / "older.csv", cached)
    _, out, _ = run(capsys, mine, "--expect", tmp_path / "older.csv")
    (line,) = [one for one in out.splitlines() if one.startswith("ddr   DDR copy ")]
    assert (
        "no expected value" in line
    )  # a cache served the case, so the check uses no memory figure


def test_every_word_of_the_table_is_explained_below_it(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, healthy, "--expect", "ref:h100-sxm")
    assert "- wide" in out
    assert "\nwide range: the expected range is wider than 10 %: only the ratio is shown\n" in out
    assert "\nshare: measured value / low end of the expected range; " in out
    _, out, _ = run(capsys, healthy, "--expect", "ref:h100-sxm", "--format", "md")
    assert "wide range: the expected range is wider" in out


def test_a_check_without_verdict_names_what_to_compare_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in h100_box.rows("quick", 0) if row.tier is Tier.DDR]
    for device, source in (("AMD EPYC", "ref:epyc-zen4-2cpu-vm"), ("a CPU", "GOOD.csv")):
        mine = tmp_path / "mine.csv"
        write_rows(mine, [replace(row, device=device) for row in rows])
        code, out, _ = run(capsys, mine)
        assert code == 0
        assert "not judged: each line gives the reason" in out
        assert f"\nNext: membench check {mine} --expect {source}    # " in out
        assert "Next: " not in run(capsys, mine, "--expect", mine)[1]
    assert "Next: " not in run(capsys, mine, "--format", "md")[1]


def test_a_mistyped_expectation_is_asked_back() -> None:
    with pytest.raises(UsageError, match="neither a file nor a known name") as refused:
        figures("histroy")
    assert refused.value.hint == "did you mean history?"
