"""Faulty GPUs: the reason names each GPU and the remedy, and other GPUs remain usable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nvml_stub import H100, NvmlProcess, text

from membench.core.snapshot import Gpus
from membench.machine.gpus.cuda_stack import CudaStack
from membench.machine.gpus.describe import with_host_memory

Plant = Callable[[Mapping[str, str]], Path]
Ask = Callable[..., Gpus]

FIT = CudaStack(("cupy-cuda13x",), importable=True, nvrtc=frozenset({13}))
LOADED = {"dev/nvidiactl": "", "sys/module/nvidia/version": "580.95.05\n"}
SOC = {"name": "NVIDIA GB10", "memory": "!3", "capability": "12.1", "mig": None, "c2c": None}


@pytest.fixture
def ask(plant: Plant, nvml: NvmlProcess) -> Ask:
    """A function that reads GPUs. ``cards`` differ from an H100 in the given facts."""

    def read(
        *cards: Mapping[str, Any],
        setting: str | None = None,
        tree: Mapping[str, str] = LOADED,
        system: Mapping[str, Any] | None = None,
    ) -> Gpus:
        whole: list[Mapping[str, object]] = [
            {**H100, "uuid": f"GPU-{n}", **card} for n, card in enumerate(cards)
        ]
        nvml.facts.write_text(text(whole, **(system or {})))
        environ = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
        return nvml.gpus(plant(tree), environ, FIT)

    return read


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [(15, "fallen off", "Xid"), (16, "needs a reset", "reset"), (999, "does not respond", "smi")],
)
def test_one_of_four_is_lost_and_the_others_are_measured(
    ask: Ask, code: int, words: str, remedy: str
) -> None:
    gpus = ask({}, {"handle": code}, {}, {})
    assert [gpu.index for gpu in gpus.devices] == [0, 2, 3]
    assert gpus.usable
    (fault,) = gpus.faults
    assert (fault.index, fault.where, fault.shown) == (1, "GPU 1", False)
    assert words in fault.problem
    assert remedy in fault.remedy


def test_sixteen_gpus_of_which_two_are_not_right(ask: Ask) -> None:
    gpus = ask(*[{"handle": 15} if n == 7 else {"compute_mode": 2 * (n == 11)} for n in range(16)])
    assert [gpu.index for gpu in gpus.devices] == [n for n in range(16) if n not in (7, 11)]
    assert [fault.index for fault in gpus.faults] == [7, 11]


@pytest.mark.parametrize(("setting", "faults"), [("1", 1), ("0, 1", 1), ("0", 0), ("GPU-0", 0)])
def test_a_lost_gpu_that_was_not_asked_for_is_no_fault(ask: Ask, setting: str, faults: int) -> None:
    assert len(ask({}, {"handle": 15}, setting=setting).faults) == faults


def test_a_prohibited_gpu_is_left_out(ask: Ask) -> None:
    gpus = ask({"compute_mode": 2}, {})
    assert [gpu.index for gpu in gpus.devices] == [1]
    assert "-i 0 -c DEFAULT" in gpus.faults[0].remedy
    alone = ask({"compute_mode": 2})
    assert (alone.devices, alone.usable) == ((), False)
    assert alone.problem.startswith("GPU 0: the compute mode")


@pytest.mark.parametrize(
    ("card", "system", "word"),
    [
        ({"compute_mode": 3}, {}, "one process"),
        ({"mps": "41"}, {}, "MPS"),
        ({"virtualization": 2}, {}, "vGPU"),
        ({}, {"confidential": 1}, "encrypted"),
        ({}, {"driver": "!999"}, "version"),
    ],
)
def test_what_is_measured_all_the_same_is_named(
    ask: Ask, card: dict[str, Any], system: dict[str, Any], word: str
) -> None:
    gpus = ask(card, system=system, tree={"dev/nvidiactl": ""})
    (fault,) = gpus.faults
    assert word in fault.problem
    assert fault.remedy
    assert fault.shown
    assert gpus.usable


@pytest.mark.parametrize(
    "card", [{"compute_mode": 0}, {"mps": "none"}, {"virtualization": 1}, {"virtualization": 3}]
)
def test_what_is_usual_is_no_fault(ask: Ask, card: dict[str, Any]) -> None:
    assert ask(card).faults == ()


def test_a_version_that_nvml_does_not_tell_is_read_from_the_module(ask: Ask) -> None:
    version = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build\n"
    tree = {"dev/nvidiactl": "", "proc/driver/nvidia/version": version}
    other = ask({}, system={"driver": "!999", "cuda": 12080}, tree=tree)
    assert other.driver == "570.86.10"
    gpus = ask({}, system={"driver": "!999"})
    assert (gpus.driver, gpus.faults) == ("580.95.05", ())


@pytest.mark.parametrize(
    ("driver", "fits"), [("540.4.0", True), ("525.60.13", True), ("470.1", False), ("rel-38", True)]
)
def test_a_driver_that_does_not_tell_its_cuda_is_judged_by_its_version(
    ask: Ask, driver: str, fits: bool
) -> None:
    gpus = ask({}, system={"driver": driver, "cuda": 0})
    assert ("525 or newer" in gpus.remedy) == (not fits)


def test_windows_lends_a_gpu_and_the_loader_does_not_find_nvml(ask: Ask) -> None:
    tree = {"dev/dxg": ""}
    gpus = ask(system={"init": 12}, tree=tree)
    assert "/dev/dxg" in gpus.problem
    assert "Windows" in gpus.remedy
    there = ask(system={"init": 12}, tree={"usr/lib/wsl/lib/libnvidia-ml.so.1": ""})
    assert there.remedy == "export LD_LIBRARY_PATH=/usr/lib/wsl/lib"
    assert ask({}, tree=tree).usable


def test_a_jetson_without_nvml_is_named(ask: Ask) -> None:
    gpus = ask(system={"init": 12}, tree={"dev/nvhost-gpu": ""})
    assert "Jetson" in gpus.problem
    assert "JetPack 6" in gpus.remedy


def test_an_integrated_gpu_works_in_the_host_s_memory(ask: Ask) -> None:
    gpus = ask(SOC)
    (gpu,) = gpus.devices
    assert (gpu.memory, gpu.integrated) == (None, True)
    assert with_host_memory(gpus, 128 << 30).devices[0].memory == 128 << 30
    assert with_host_memory(gpus, 0).devices[0].memory is None
    (card,) = ask({"memory": "!3"}).devices
    assert (card.memory, card.integrated) == (None, False)
    assert with_host_memory(ask({"memory": 0}), 128 << 30).devices[0].memory is None


def test_a_coherent_gpu_says_which_node_its_memory_is(ask: Ask) -> None:
    (gpu,) = ask({"numa": 1, "addressing": 2, "c2c": 1}).devices
    assert (gpu.memory_node, gpu.addressing, gpu.integrated) == (1, "ats", False)
    (plain,) = ask({"numa": -1, "addressing": 0}).devices
    assert (plain.memory_node, plain.addressing) == (None, "none")


def test_process_0_is_nobody(nvml: NvmlProcess) -> None:
    for told, pids in (("0 0", ()), ("0 42", (42,)), ("none", ())):
        nvml.facts.write_text(text([{**H100, "processes": told}]))
        (state,) = nvml.states()
        assert getattr(state, "processes", None) == pids


@pytest.mark.parametrize(
    ("changes", "has", "fed"),
    [
        ({}, True, True),
        ({"c2c": 1}, True, False),  # the GPU also has a PCI Express link, but data use C2C
        ({"c2c": 1, "gen_max": 1, "width_max": 1}, False, False),
        ({"capability": "12.1", "gen_max": 1, "width_max": 1}, False, False),
        ({"gen_max": 1, "width_max": 1}, True, True),  # an old card in a narrow slot
    ],
)
def test_where_there_is_no_pci_express_none_is_told(
    nvml: NvmlProcess, changes: dict[str, Any], has: bool, fed: bool
) -> None:
    nvml.facts.write_text(text([{**H100, **changes}]))
    (state,) = nvml.states()
    assert not isinstance(state, str)
    assert (state.has_pcie, state.fed_by_pcie) == (has, fed)
