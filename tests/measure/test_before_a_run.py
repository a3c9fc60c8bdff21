"""Before a run begins: a GPU that is there but cannot be used is said first, or is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.errors import BackendUnavailable
from membench.core.snapshot import GpuIdentity, Gpus, Machine
from membench.machine import snapshot
from membench.measure import run
from membench.measure.events import Silent
from membench.measure.options import RunOptions

REMEDY = "pip install 'membench[cuda13]'"
GPU = GpuIdentity(index=0, name="A GPU", uuid="0", memory=2**30, compute_capability="9.0")


class Listener(Silent):
    """Remembers what it was warned of."""

    def __init__(self) -> None:
        self.warnings: list[tuple[str, str]] = []

    def warned(self, message: str, hint: str) -> None:
        self.warnings.append((message, hint))


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
