"""Before a run: an unusable GPU gives an early warning, or an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.errors import BackendUnavailable, OutputError, UsageError
from membench.core.snapshot import GpuIdentity, Gpus, Machine
from membench.host.memory import staircase
from membench.machine import snapshot
from membench.measure import run
from membench.measure.events import Silent
from membench.measure.options import RunOptions
from membench.measure.paired.preparing import prepare_pair

REMEDY = "pip install 'membench[cuda13]'"
GPU = GpuIdentity(index=0, name="A GPU", uuid="0", memory=2**30, compute_capability="9.0")


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[tuple[str, str]] = []

    def warned(self, message: str, hint: str) -> None:
        self.warnings.append((message, hint))


@pytest.fixture(autouse=True)
def no_chase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the chase before the plan. The chase takes seconds and has no effect here."""
    monkeypatch.setattr(staircase, "measure", lambda machine: ())


@pytest.fixture
def broken_gpu(monkeypatch: pytest.MonkeyPatch) -> Machine:
    gpus = Gpus(
        driver="580.65", cuda="13.0", devices=(GPU,), problem="CuPy is not installed", remedy=REMEDY
    )
    machine = replace(snapshot(), gpus=gpus)
    monkeypatch.setattr(
        run, "snapshot", lambda paths: replace(machine, filesystems=snapshot(paths).filesystems)
    )
    return machine


@pytest.mark.usefixtures("broken_gpu")
def test_a_gpu_that_cannot_be_used_is_said_first_with_the_exact_install_line() -> None:
    listener = Listener()
    prepared = run.prepare(RunOptions(select=("ddr/copy",)), listener)
    assert listener.warnings == [("CuPy is not installed", REMEDY)]
    assert prepared.plan.cases


@pytest.mark.usefixtures("broken_gpu")
def test_strict_makes_it_an_error() -> None:
    with pytest.raises(BackendUnavailable, match="CuPy is not installed") as caught:
        run.prepare(RunOptions(strict=True), Silent())
    assert caught.value.hint == REMEDY


@pytest.mark.usefixtures("broken_gpu")
def test_who_wants_no_gpu_is_not_told_about_it() -> None:
    listener = Listener()
    run.prepare(RunOptions(device="cpu", strict=True), listener)
    assert listener.warnings == []


def test_preparing_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepared = run.prepare(RunOptions(select=("ddr/copy",), label="box"), Silent())
    assert prepared.csv.parts[:2] == ("results", "box")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = (GPU, replace(GPU, index=1, uuid="1", name="Another GPU"))
    machine = replace(snapshot(), gpus=Gpus(driver="580.65", cuda="13.0", devices=devices))
    monkeypatch.setattr(
        run, "snapshot", lambda paths: replace(machine, filesystems=snapshot(paths).filesystems)
    )


@pytest.mark.usefixtures("two_gpus")
def test_two_gpus_are_compared_under_the_same_ids() -> None:
    first, second = prepare_pair(
        RunOptions(select=("hbm/read/*vec=16",), versus="device=cuda:1"), Silent()
    )
    plans = [half.prepared.plan for half in (first, second)]
    assert [[case.gpu for case in plan.cases] for plan in plans] == [[0], [1]]
    assert plans[0].cases[0].id == plans[1].cases[0].id
    assert [plan.device for plan in plans] == ["auto", "cuda:1"]
    with pytest.raises(UsageError, match="compares one GPU with another"):
        prepare_pair(RunOptions(device="all", versus="device=cuda:1"), Silent())


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("first", "second"), [("auto", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_is_not_compared_with_itself(first: str, second: str) -> None:
    options = RunOptions(select=("hbm/read",), device=first, versus=f"device={second}")
    with pytest.raises(UsageError, match="names the GPU that A measures, so B would equal A"):
        prepare_pair(options, Silent())


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_no_selected_case_uses_is_refused() -> None:
    options = RunOptions(select=("ddr/triad/*",), device="cuda:0", versus="device=cuda:1")
    with pytest.raises(UsageError, match="no selected case that can run here uses a GPU"):
        prepare_pair(options, Silent())


def test_two_scratch_directories_are_compared(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    asked = RunOptions(
        *("quick", ("ssd/read/*qd=1/*",)), scratch=here, versus=f"scratch={there}", rounds=6
    )
    halves = prepare_pair(asked, Silent())
    plans = [half.prepared.plan for half in halves]
    assert [plan.scratch for plan in plans] == [str(here), str(there)]
    assert [plan.rounds for plan in plans] == [6, 6]
    assert plans[0].seed == plans[1].seed  # the same order of the same cases
    assert {plan.pair.pair_id for plan in plans if plan.pair} == {plans[0].run_id}
    names = [half.prepared.csv.name for half in halves]
    assert [half.pairing.partner for half in halves] == names[::-1]


def test_a_mistyped_skip_is_a_warning_with_what_was_meant() -> None:
    listener = Listener()
    skip = ("ssd/raed", "ssd/read/*/qd=1/*", "ddr")
    prepared = run.prepare(RunOptions(select=("ssd/read",), skip=skip, device="cpu"), listener)
    ((problem, hint),) = listener.warnings
    assert problem == "--skip 'ssd/raed' matches no case"
    assert hint.startswith("did you mean ssd/read, ")
    assert prepared.plan.cases


@pytest.mark.parametrize("taken", ["o.csv", "o.json", "o.journal"])
def test_a_results_file_that_exists_is_refused_before_anything_is_measured(
    taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "snapshot", lambda _paths: pytest.fail("the machine was examined"))
    (tmp_path / taken).write_text("")
    options = RunOptions(select=("ddr/copy",), output=tmp_path / "o.csv")
    with pytest.raises(OutputError, match="exists"):
        run.prepare(options, Silent())
    pair = replace(options, output=tmp_path / "o.csv", versus="env=A=b")
    (tmp_path / taken.replace("o", "o_b", 1)).write_text("")
    with pytest.raises(OutputError, match="o_b"):
        prepare_pair(pair, Silent())
