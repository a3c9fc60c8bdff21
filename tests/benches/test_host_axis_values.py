"""Accepted values of the axes of host and disk benches: the case runs, or membench skips it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from axis_values import Trial, one_by_one, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from membench.benches import registry
from membench.benches.disk import mixed
from membench.core.axes import Value
from membench.core.errors import MembenchError, Skip
from membench.core.snapshot import Machine
from membench.core.units import MIB
from membench.host.memory.backend import CpuBackend
from membench.host.storage.backend import StorageBackend, open_storage
from membench.host.storage.scratch import ScratchFile
from membench.machine import snapshot
from membench.machine.disks.filesystem import read_filesystem

MACHINE = snapshot([])
BENCHES = {
    name: one for name, one in registry().benches.items() if one.backend in ("cpu", "storage")
}
SIZE = 64 * MIB
NEED = ("host/loaded", "host/numa")
"""Benches that skip every case on some machines, because they need two CPUs or pinned threads."""

RING = Trial(most={"size": MIB})
TRIALS: Mapping[str, Trial] = {
    **dict.fromkeys(("host/chase", "host/mlp", "host/numa"), RING),
    "ddr/mix": Trial(most={"size": 4 * MIB, "reads": 100}),
    "host/gather": Trial(most={"size": 16 * MIB}),
    "host/loaded": Trial(most={"size": 4 * MIB, "reads": 100, "pause": 5000}),
    "paging/ssd-ddr": Trial(most={"block": MIB, "qd": 40}),
    "ssd/kv": Trial(most={"tokens": 20}),
    "ssd/read": Trial(most={"block": MIB, "qd": 40}),
    "ssd/sustained": Trial(most={"block": MIB, "qd": 40}),
    "ssd/sync": Trial(most={"block": 16 * MIB}),
    "ssd/write": Trial(most={"block": MIB, "qd": 40}),
}
"""Trials of benches for which the defaults of `Trial` do not fit."""


@pytest.fixture(scope="module")
def storage(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StorageBackend | None]:
    """A scratch file on this disk; None if the disk has no direct I/O."""
    place = tmp_path_factory.mktemp("scratch")
    if read_filesystem(place).direct_io:
        yield None
        return
    with ScratchFile.create(place, SIZE, budget=1 << 40, seed=5) as made:
        backend = open_storage(machine, made.scratch)
        yield backend
        backend.close()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "SUSTAINED_BYTES", 4 * MIB)


def trial(name: str) -> Trial:
    return TRIALS.get(name, Trial({"size": "4MiB"}))  # enough for many threads


def tried(
    name: str, params: Mapping[str, Value], cpu: CpuBackend, storage: StorageBackend | None
) -> str | None:
    """The reason of a skip, or None if the case ran and verified."""
    bench = BENCHES[name]
    backend = cpu if bench.backend == "cpu" else storage
    if backend is None:
        pytest.skip("this disk has no direct I/O")
    for _ in range(50):
        try:
            return outcome(bench, backend, params, cpu.machine)
        except MembenchError as error:
            if "were idle" not in str(error):  # other tests took the CPU of the traffic
                raise
    raise AssertionError("the traffic generators had no CPU")


ONE_BY_ONE = one_by_one(BENCHES, trial, MACHINE)


@pytest.mark.sampled(8)
@pytest.mark.parametrize(("name", "key", "value"), ONE_BY_ONE)
def test_a_value_runs_or_is_skipped(
    name: str, key: str, value: Value, cpu: CpuBackend, storage: StorageBackend | None
) -> None:
    params = {**trial(name).usual(BENCHES[name], MACHINE), key: value}
    assert tried(name, params, cpu, storage) != ""


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_any_combination_of_values_runs_or_is_skipped(
    name: str, cpu: CpuBackend, storage: StorageBackend | None
) -> None:
    reasons = [tried(name, trial(name).usual(BENCHES[name], MACHINE), cpu, storage)]
    choices = {axis.name: trial(name).choices(axis, MACHINE) for axis in BENCHES[name].axes}

    @settings(max_examples=examples(20))
    @given(st.fixed_dictionaries({key: st.sampled_from(of) for key, of in choices.items()}))
    def every(params: dict[str, Value]) -> None:
        reasons.append(tried(name, params, cpu, storage))

    every()
    assert reasons[0] is None or name in NEED
    assert "" not in reasons


@pytest.mark.parametrize(("name", "size"), [("ddr/mix", 2 * MIB), ("host/loaded", MIB)])
def test_a_mixture_of_few_chunks_is_skipped(cpu: CpuBackend, name: str, size: int) -> None:
    params = {**trial(name).usual(BENCHES[name], MACHINE), "size": size, "reads": 50}
    if len(cpu.cpus) < 2:
        pytest.skip("needs 2 CPUs")
    found = tried(name, params, cpu, None)
    assert found is not None
    assert "too small" in found


def test_a_round_without_writes_is_skipped(storage: StorageBackend | None) -> None:
    if storage is None:
        pytest.skip("this disk has no direct I/O")
    work: Any = BENCHES["ssd/mix"].build(storage, {"reads": 99, "qd": 1})
    with (
        closing(work),
        pytest.raises(Skip, match=r"a round of 1 I/O had no .*: this is not the mix reads=99"),
    ):
        work.observe(0.0)
