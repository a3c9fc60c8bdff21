"""Live readings of a GPU through the real bindings: single fields, and the loss of NVML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from healthy import GPU_STATE
from nvml_stub import H100, NvmlProcess, build, text

from membench.machine.gpus.cuda_stack import CudaStack
from membench.machine.gpus.nvml import hashed
from membench.machine.gpus.state import SLOWDOWNS, GpuState

Plant = Callable[[Mapping[str, str]], Path]

CARD = {**H100, "processes": "17 42", "held0": 5, "held1": 7, "held3": 9}
UUID = str(H100["uuid"])
HEALTHY = replace(
    GPU_STATE,
    uuid=hashed(UUID),
    name="NVIDIA H100 80GB HBM3",
    held_ns=21,
    link_generation=5,
    processes=(17, 42),
    node=1,
)

OF_KEY = {
    "name": "name",
    "sm": "sm_mhz",
    "sm_max": "sm_mhz_max",
    "sm_set": "sm_mhz_set",
    "mem": "memory_mhz",
    "mem_max": "memory_mhz_max",
    "performance": "performance",
    "reasons": "reasons",
    "temperature": "temperature",
    "memory_temperature": "memory_temperature",
    "power": "power",
    "power_limit": "power_limit",
    "power_default": "power_default",
    "ecc": "ecc",
    "ecc_errors": "ecc_errors",
    "mig": "mig",
    "persistence": "persistence",
    "gen": "link_generation",
    "gen_max": "link_generation_max",
    "width": "link_width",
    "width_max": "link_width_max",
    "processes": "processes",
    "bus_bits": "bus_bits",
    "bus": "node",
    "c2c": "c2c",
    "capability": "integrated",
}


@pytest.fixture
def root(plant: Plant) -> Path:
    return plant({"sys/bus/pci/devices/0000:3b:00.0/numa_node": "1\n"})


@pytest.fixture
def state(nvml: NvmlProcess, root: Path) -> Callable[..., GpuState]:
    """A function that reads the state of one card with changed facts. None removes a fact."""

    def read(**changes: Any) -> GpuState:
        nvml.facts.write_text(text([{**CARD, **changes}]))
        (one,) = nvml.states(root)
        assert isinstance(one, GpuState)
        return one

    return read


def test_every_field_of_a_card_that_says_everything(state: Callable[..., GpuState]) -> None:
    assert state() == HEALTHY
    assert state().peak_bandwidth == pytest.approx(3352.3, abs=0.1)  # peak of the 3.35 TB/s card


@pytest.mark.parametrize("error", [None, "!3", "!13", "!999"])
@pytest.mark.parametrize("key", OF_KEY)
def test_what_a_card_does_not_say_costs_that_field_alone(
    state: Callable[..., GpuState], key: str, error: str | None
) -> None:
    absent: Any = "" if key == "name" else None
    assert state(**{key: error}) == replace(HEALTHY, **{OF_KEY[key]: absent})


def test_every_field_is_read(state: Callable[..., GpuState]) -> None:
    nothing = state(**{key: None for key in CARD if key != "uuid"})
    assert nothing == GpuState(uuid=hashed(UUID))
    told = {field.name for field in fields(GpuState)} - {"uuid", "index", "held_ns"}
    told -= {"confidential"}  # a fact of the system, not of a card
    assert told == set(OF_KEY.values())


def test_time_held_back_is_the_sum_of_what_is_known(state: Callable[..., GpuState]) -> None:
    assert state(held1=None).held_ns == 14
    assert state(held0="!3", held1=None, held3="!3").held_ns is None


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0x0, ()),
        (0x1 | 0x2 | 0x10 | 0x100, ()),  # idle, or limited by a setting of the user
        (0x4, ("power cap",)),
        (0x8 | 0x40, ("hardware slowdown", "heat (hardware)")),
        (0x20 | 0x1, ("heat (software)",)),
        (0x80, ("power brake",)),
    ],
)
def test_reasons_that_slow_a_card_down(
    state: Callable[..., GpuState], mask: int, words: tuple[str, ...]
) -> None:
    assert state(reasons=hex(mask)).slowdowns == words
    assert set(words) <= set(SLOWDOWNS.values())


@pytest.mark.parametrize(("said", "known"), [("1", True), ("0", False), (None, None)])
def test_a_system_that_computes_confidentially_says_so(
    nvml: NvmlProcess, root: Path, said: str | None, known: bool | None
) -> None:
    facts = text([CARD]) + (f"confidential {said}\n" if said is not None else "")
    nvml.facts.write_text(facts)
    (one,) = nvml.states(root)
    assert isinstance(one, GpuState)
    assert one.confidential is known


def test_a_memory_without_a_sensor_has_no_temperature(state: Callable[..., GpuState]) -> None:
    assert state(memory_temperature=0).memory_temperature is None


def test_an_unknown_performance_state_is_none(state: Callable[..., GpuState]) -> None:
    assert state(performance=32).performance is None
    assert state(performance=8).performance == 8


def test_peak_needs_clock_and_width(state: Callable[..., GpuState]) -> None:
    assert state(bus_bits=None).peak_bandwidth is None
    assert state(mem_max=None).peak_bandwidth is None


@pytest.fixture
def old(tmp_path: Path) -> Iterator[NvmlProcess]:
    asked = NvmlProcess(build(tmp_path, "-DOLD"), tmp_path / "facts")
    yield asked
    asked.close()


def test_an_old_library_without_some_entries(old: NvmlProcess, root: Path) -> None:
    old.facts.write_text(text([{**CARD, "reasons": "0x20"}]))
    (one,) = old.states(root)
    assert one == replace(HEALTHY, reasons=0x20, mig=None, processes=None, bus_bits=None, c2c=None)


def test_a_card_that_goes_is_said_in_one_line(nvml: NvmlProcess) -> None:
    nvml.facts.write_text(text([CARD]))
    (said,) = nvml.states(then=text([CARD], gone=15))
    assert said == "GPU 0 no longer responds to NVML: GPU is lost"
    assert nvml.states() == []  # the facts file still has the error, so the first query fails
    nvml.facts.write_text(text([CARD]))
    assert isinstance(nvml.states()[0], GpuState)


def test_a_library_that_cannot_be_started_is_said_in_one_line(nvml: NvmlProcess) -> None:
    nvml.facts.write_text(text([CARD], init=18))
    (said,) = nvml.states()
    assert isinstance(said, str)
    assert said.startswith("NVML cannot be initialised: ")
    assert "version mismatch" in said


def test_a_card_that_does_not_give_its_uuid_is_left_out(nvml: NvmlProcess) -> None:
    silent = {name: value for name, value in CARD.items() if name != "uuid"}
    nvml.facts.write_text(text([silent, CARD]))
    (card,) = nvml.states()
    assert isinstance(card, GpuState)
    assert (card.uuid, card.index) == (hashed(UUID), 1)


@pytest.mark.parametrize("closes", [1, 2])
def test_a_second_close_does_not_end_the_session_of_another(nvml: NvmlProcess, closes: int) -> None:
    nvml.facts.write_text(text([CARD]))
    assert not nvml.closed_after(closes)


def test_an_instance_has_the_state_of_its_card(nvml: NvmlProcess) -> None:
    split = {**CARD, "mig": 1, "slots": 2, "m1.uuid": "MIG-1", "sm": 1200}
    nvml.facts.write_text(text([split]))
    card, part = nvml.states()
    assert isinstance(card, GpuState)
    assert part == replace(card, uuid=hashed("MIG-1"))
    assert (card.sm_mhz, card.mig) == (1200, True)


@pytest.mark.parametrize(("setting", "index"), [("0", 0), ("1", 1), ("GPU-bbbb", 1), (None, 0)])
def test_the_snapshot_and_the_readings_name_the_same_card(
    nvml: NvmlProcess, plant: Plant, setting: str | None, index: int
) -> None:
    other = {**CARD, "uuid": "GPU-bbbb3333-0", "sm": 1410}
    nvml.facts.write_text(text([CARD, other]))
    root = plant({"dev/nvidiactl": ""})
    environ = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
    stack = CudaStack(("cupy-cuda13x",), importable=True, nvrtc=frozenset({13}))
    gpu = nvml.gpus(root, environ, stack).devices[0]
    (one,) = (
        state for state in nvml.states() if isinstance(state, GpuState) and state.uuid == gpu.uuid
    )
    assert (gpu.index, one.index, one.sm_mhz) == (index, index, (1980, 1410)[index])
