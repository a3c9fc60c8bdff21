"""Only one run per GPU: the second run names the first run, and no lock remains."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import ExitStack

import pytest

from membench.core.errors import BackendUnavailable
from membench.core.snapshot import GpuIdentity
from membench.measure import locks as claim
from membench.measure.events import Silent
from membench.measure.locks import claimed


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warned(self, message: str, hint: str) -> None:
        assert hint
        self.warnings.append(message)


@pytest.fixture
def gpus() -> list[GpuIdentity]:
    return [GpuIdentity(index, "Some GPU", secrets.token_hex(6), 1, "9.0") for index in range(2)]


def test_a_gpu_is_held_by_one_and_the_other_is_told_by_whom(gpus: list[GpuIdentity]) -> None:
    with claimed(gpus[:1], Silent()):
        with pytest.raises(BackendUnavailable) as refused, claimed(gpus[:1], Silent()):
            pass
        assert f"another run (process {os.getpid()}) measures on GPU 0" in str(refused.value)
        assert "--device" in refused.value.hint
        with claimed(gpus[1:], Silent()):
            pass
    with claimed(gpus, Silent()):
        pass


def test_who_gets_not_all_of_them_holds_none(gpus: list[GpuIdentity]) -> None:
    with (
        claimed(gpus[1:], Silent()),
        pytest.raises(BackendUnavailable, match="GPU 1"),
        claimed(gpus, Silent()),
    ):
        pass
    with claimed(gpus[:1], Silent()):
        pass


def test_a_claim_ends_with_its_process_however_that_ends(gpus: list[GpuIdentity]) -> None:
    code = (
        "import os, signal, sys; from membench.core.snapshot import GpuIdentity;"
        "from membench.measure.locks import claimed; from membench.measure.events import Silent;"
        "held = claimed([GpuIdentity(0, 'x', sys.argv[1], 1, '')], Silent()); held.__enter__();"
        "print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, gpus[0].uuid],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(BackendUnavailable, match=str(process.pid)), claimed(gpus, Silent()):
        pass
    process.kill()
    process.communicate()
    with claimed(gpus, Silent()):
        pass


@pytest.mark.parametrize("runs", [2, 9, 10])
def test_runs_of_one_machine_warn_and_go_on(monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    ours = secrets.token_hex(6)  # a name that other test runs do not use
    monkeypatch.setattr(claim, "_address", lambda name: f"\0membench-test/{ours}/{name}")
    with ExitStack() as stack:
        for number in range(runs):
            listener = Listener()
            stack.enter_context(claimed((), listener))
            assert len(listener.warnings) == (number > 0)
        assert f"(process {os.getpid()})" in listener.warnings[0]
    alone = Listener()
    with claimed((), alone):
        assert alone.warnings == []


def test_a_holder_that_answers_nobody_is_a_run_without_a_number(
    monkeypatch: pytest.MonkeyPatch, gpus: list[GpuIdentity]
) -> None:
    monkeypatch.setattr(claim, "_holder", lambda _: 0)
    with (
        claimed(gpus, Silent()),
        pytest.raises(BackendUnavailable, match="another run measures on GPU 0"),
        claimed(gpus, Silent()),
    ):
        pass


def test_where_there_are_no_such_sockets_a_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, gpus: list[GpuIdentity]
) -> None:
    monkeypatch.setattr(claim, "_address", lambda _: "/nowhere/at/all")
    listener = Listener()
    with claimed(gpus, listener), claimed(gpus, listener):
        pass
    assert listener.warnings == []
