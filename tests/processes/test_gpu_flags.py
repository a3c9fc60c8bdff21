"""GPU observations of the parent become flags of the rows and a note in the sidecar.

NVML is a stub in every process. The cases overwrite main memory instead of GPU memory.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from driver import Membench, alone

from membench.results.schema import Row
from membench.results.sidecar import read_sidecar
from membench.results.table import read_rows


@pytest.fixture
def rows(membench: Membench) -> dict[str, Row]:
    """Case -> its row. Each case has its own run, because cases change the simulated GPU."""
    found = {}
    for case in ("hbm/calm", "hbm/heats", "link/narrow"):
        environment = membench.with_gpu(f"GPU-{membench.directory.parent.name}")
        output = f"{case.partition('/')[2]}.csv"
        done = membench(*("run", "--select", case, "--rounds", "2", "-o", output), env=environment)
        assert (done.returncode, alone(done.stderr)) == (0, "")
        (found[case],) = read_rows(membench.directory / output)
    return found


def test_each_case_has_the_flags_of_what_it_met(rows: dict[str, Row], membench: Membench) -> None:
    ours = {"throttled", "busy-gpu", "link-downtrained", "unpinned-numa"}
    assert not ours & set(rows["hbm/calm"].flags)
    assert ours & set(rows["hbm/heats"].flags) == {"throttled", "busy-gpu"}
    assert rows["hbm/heats"].detail["slowdown"] == "heat (hardware)"
    assert ours & set(rows["link/narrow"].flags) == {"link-downtrained"}
    assert all(row.rounds == 2 and row.n == 10 for row in rows.values())  # flagged rows are kept

    sidecar = read_sidecar(membench.directory / "calm.csv")
    assert sidecar is not None
    notes = [note.data for note in sidecar.notes if note.kind == "gpu"]
    assert [note["round"] for note in notes] == [1, 2]
    (state,) = notes[0]["states"]
    assert (state["sm_mhz"], state["temperature"], state["power"]) == (1980, 41, 70.0)


def test_the_doctor_looks_at_the_gpu(membench: Membench) -> None:
    environment = membench.with_gpu("GPU-doctor")
    facts = Path(environment["NVML_STUB"])
    facts.write_text("0.width 8\n0.persistence 0\n" + facts.read_text())
    done = membench("doctor", "--json", env=environment)
    found = {one["check"]: one for one in json.loads(done.stdout)["findings"]}
    assert found["gpu"]["seen"] == "0: NVIDIA H100 80GB HBM3"
    assert found["gpu-peak"]["seen"] == "0: 3352 GB/s (2619 MHz, 5120 bits)"
    assert (found["gpu-link"]["level"], found["gpu-persistence"]["level"]) == ("WARN", "WARN")
    assert found["gpu-ecc"]["level"] == "OK"


@pytest.mark.slow
def test_a_run_is_not_resumed_on_another_gpu(membench: Membench) -> None:
    name = membench.directory.parent.name
    run = membench.start(
        *("run", "--select", "hbm/calm", "--select", "hbm/slow"),
        *("--rounds", "1", "--seed", "0", "-o", "o.csv"),
        env=membench.with_gpu(f"GPU-{name}-a"),
    )
    membench.wait_for_slow()
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=10)
    other = membench("run", "--resume", "o.csv", env=membench.with_gpu(f"GPU-{name}-b"))
    assert other.returncode == 1
    assert "Error: GPU 0 is not the GPU that the run began with" in other.stderr
    hidden = {**membench.with_gpu(f"GPU-{name}-a"), "CUDA_VISIBLE_DEVICES": ""}
    none = membench("run", "--resume", "o.csv", env=hidden)
    assert none.returncode == 1
    assert "Traceback" not in none.stderr
    membench.flag.unlink()
    membench.flag.parent.rmdir()
    same = membench("run", "--resume", "o.csv", env=membench.with_gpu(f"GPU-{name}-a"))
    assert same.returncode == 0, same.stderr


@pytest.mark.slow
def test_a_lost_gpu_is_named_and_the_others_are_measured(membench: Membench) -> None:
    environment = membench.with_gpu(f"GPU-{membench.directory.parent.name}")
    facts = Path(environment["NVML_STUB"])
    facts.write_text("1.handle 15\n" + facts.read_text().replace("count 1", "count 2"))
    run = ("run", "--select", "hbm/calm", "--rounds", "1")
    done = membench(*run, "-o", "o.csv", env=environment)
    assert done.returncode == 0, done.stderr
    assert "Warning: GPU 1: the GPU has fallen off the bus" in done.stderr
    strict = membench(*run, "--strict", "-o", "p.csv", env=environment)
    assert strict.returncode == 1
    assert "Error: GPU 1: the GPU has fallen off the bus" in strict.stderr
    assert "Hint: reboot" in strict.stderr
    assert membench(*run, "--strict", "--device", "cpu", "--dry-run", env=environment).returncode
    info = membench("info", env=environment).stdout
    assert "GPU 1" in info
    assert "fallen off the bus" in info


@pytest.mark.slow
def test_strict_refuses_to_measure_nothing(membench: Membench) -> None:
    run = ("run", "--select", "hbm/calm", "--rounds", "1", "--strict", "-o", "o.csv")
    done = membench(*run)
    assert done.returncode == 1
    assert (
        "Error: every selected case needs a GPU and is skipped: no NVIDIA GPU was found"
        in done.stderr
    )
    mixed = membench(*run, "--select", "ddr/steady/n=1")
    assert mixed.returncode == 0, mixed.stderr
