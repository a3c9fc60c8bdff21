"""Every state of a machine's GPUs, with a stand-in for NVIDIA's library."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nvml_stub import NvmlProcess, text

from membench.core.installing import install, install_extra, uninstall
from membench.core.snapshot import Gpus
from membench.machine.gpus import cuda_stack
from membench.machine.gpus.cuda_stack import CudaStack, complaint, read_stack
from membench.machine.gpus.describe import read_gpus
from membench.machine.gpus.nvml import text as as_text
from membench.machine.gpus.visible import hides_all, visible

Plant = Callable[[Mapping[str, str]], Path]

FIT = CudaStack(("cupy-cuda13x",), importable=True, nvrtc=frozenset({13}))
LOADED = {"dev/nvidiactl": "", "sys/module/nvidia/version": "580.95.05\n"}
Ask = Callable[..., Gpus]
A, B, C = ("GPU-aaaa1111-0", "GPU-aaaa2222-0", "GPU-bbbb3333-0")


@dataclass
class Card:
    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    memory: int | None = 80 << 30
    capability: tuple[int, int] = (9, 0)
    fails: int = 0
    parts: list[Card | None] | None = None  # MIG instances

    def facts(self) -> dict[str, object]:
        """The keys and values of the card in the stub's file."""
        major, minor = self.capability
        found: dict[str, object] = {
            "uuid": self.uuid,
            "name": self.name,
            "memory": "!3" if self.memory is None else self.memory,
            "capability": f"{major}.{minor}",
            "sm_max": 1980,
        }
        if self.capability >= (8, 0):  # older cards do not support this query
            found["mig"] = int(self.parts is not None)
        for slot, part in enumerate(self.parts or []):
            if part is not None:
                found |= {f"m{slot}.{key}": value for key, value in part.facts().items()}
        return found | {"handle": self.fails, "slots": len(self.parts or [])}


@dataclass
class Script:
    cards: list[Card] = field(default_factory=list)
    init: int = 0
    cuda: int | None = 13000


@pytest.fixture
def ask(plant: Plant, nvml: NvmlProcess) -> Ask:
    """A function that reads the GPUs that the stub simulates according to a `Script`."""

    def read(
        script: Script,
        setting: str | None = None,
        stack: CudaStack = FIT,
        tree: Mapping[str, str] = LOADED,
    ) -> Gpus:
        nvml.facts.write_text(
            text([card.facts() for card in script.cards], init=script.init, cuda=script.cuda or 0)
        )
        environ = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
        return nvml.gpus(plant(tree), environ, stack)

    return read


def test_a_usable_gpu(ask: Ask) -> None:
    script = Script([Card(A)])
    gpus = ask(script)
    assert (gpus.driver, gpus.cuda, gpus.problem, gpus.remedy) == ("580.95.05", "13.0", "", "")
    assert gpus.usable
    (gpu,) = gpus.devices
    assert (gpu.index, gpu.name, gpu.memory) == (0, "NVIDIA H100 80GB HBM3", 80 << 30)
    assert gpu.compute_capability == "9.0"
    assert gpu.sm_mhz == 1980
    assert gpu.uuid == hashlib.sha256(A.encode()).hexdigest()[:12]


def test_what_a_card_does_not_say_costs_that_fact_alone(ask: Ask) -> None:
    gpus = ask(Script([Card(A, name="NVIDIA GB10", memory=None)]))
    assert (gpus.devices[0].name, gpus.devices[0].memory, gpus.usable) == (
        "NVIDIA GB10",
        None,
        True,
    )


def test_old_bindings_answer_in_bytes() -> None:
    assert as_text(b"NVIDIA GB10") == as_text("NVIDIA GB10") == "NVIDIA GB10"


def test_a_driver_that_only_the_loader_finds_is_found(
    plant: Plant, nvml: NvmlProcess, tmp_path: Path
) -> None:
    nvml.facts.write_text(text([Card(A).facts()]))
    root = plant({"usr/local/nvidia/lib64/libnvidia-ml.so.1": ""})
    environ = {"LD_LIBRARY_PATH": "relative:/usr/local/nvidia/lib64"}
    assert nvml.gpus(root, environ, FIT).present
    assert nvml.gpus(root, {}, FIT) == Gpus()


def test_no_gpu_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # makes the import fail
    assert read_gpus(tmp_path, {}) == Gpus()


def test_the_bindings_are_missing(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpus = read_gpus(plant(LOADED), {})
    assert (gpus.driver, gpus.remedy) == ("580.95.05", install("nvidia-ml-py"))
    assert gpus.problem


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (4, "group"),
        (9, "modprobe"),
        (12, "--gpus all"),
        (15, "reboot"),
        (16, "reboot"),
        (17, "container"),
        (18, "reboot"),
        (999, "nvidia-smi"),
    ],
)
def test_a_driver_that_fails(ask: Ask, code: int, word: str) -> None:
    gpus = ask(Script(init=code))
    assert gpus.problem
    assert word in gpus.remedy
    assert "\n" not in gpus.problem + gpus.remedy
    assert (gpus.driver, gpus.devices, gpus.usable) == ("580.95.05", (), False)


@pytest.mark.parametrize("code", [9, 12])
def test_a_driver_without_a_gpu_for_us_is_no_problem(ask: Ask, code: int) -> None:
    assert ask(Script(init=code), tree={"proc/driver/nvidia/version": "x"}) == Gpus()


def test_a_gpu_on_the_bus_whose_driver_is_not_loaded(ask: Ask) -> None:
    bus = "sys/bus/pci/devices/0000:01:00.0"
    card = {f"{bus}/vendor": "0x10de\n", f"{bus}/class": "0x030200\n"}
    assert "modprobe" in ask(Script(init=9), tree=card).remedy
    assert ask(Script(init=12), tree=card) == Gpus()


def test_a_sound_device_is_no_gpu(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    bus = "sys/bus/pci/devices/0000:01:00.1"
    root = plant({f"{bus}/vendor": "0x10de\n", f"{bus}/class": "0x040300\n"})
    assert read_gpus(root, {}) == Gpus()


def test_one_broken_card_does_not_hide_the_other(ask: Ask) -> None:
    gpus = ask(Script([Card(A, fails=15), Card(B)]))
    assert [gpu.index for gpu in gpus.devices] == [1]
    assert gpus.usable


def test_all_cards_broken(ask: Ask) -> None:
    gpus = ask(Script([Card(A, fails=15)]))
    assert (gpus.devices, gpus.usable) == ((), False)
    assert "fallen off" in gpus.problem


def test_a_driver_without_cards(ask: Ask) -> None:
    gpus = ask(Script([]))
    assert (gpus.driver, gpus.devices, gpus.problem) == ("580.95.05", (), "")


@pytest.mark.parametrize("setting", ["", "-1", "NoDevFiles", "-1,0"])
def test_hidden_on_purpose(ask: Ask, setting: str) -> None:
    gpus = ask(Script([Card(A)]), setting)
    assert (gpus.devices, gpus.problem) == ((), "")


@pytest.mark.parametrize("setting", ["1", "GPU-none", "0,0", "MIG-x"])
def test_hidden_by_mistake(ask: Ask, setting: str) -> None:
    gpus = ask(Script([Card(A)]), setting)
    assert gpus.devices == ()
    assert setting in gpus.problem
    assert "CUDA_VISIBLE_DEVICES" in gpus.remedy


def test_order_and_index_of_the_chosen(ask: Ask) -> None:
    script = Script([Card(A, "a"), Card(B, "b"), Card(C, "c")])
    assert [gpu.index for gpu in ask(script, "2,0").devices] == [2, 0]
    assert [gpu.name for gpu in ask(script, "GPU-b,GPU-aaaa1").devices] == ["c", "a"]


def test_mig(ask: Ask) -> None:
    parts = [
        None,
        Card("MIG-1", "H100 MIG 1g.10gb", 10 << 30),
        Card("MIG-2", "H100 MIG 2g.20gb", 20 << 30),
    ]
    script = Script([Card(A, parts=parts), Card(B)])
    assert [gpu.name for gpu in ask(script, "MIG-2,MIG-1").devices] == ["H100 MIG 2g.20gb"]
    assert [gpu.name for gpu in ask(script, "0").devices] == ["H100 MIG 1g.10gb"]
    # A whole GPU comes before a MIG instance.
    assert [gpu.index for gpu in ask(script).devices] == [1]
    empty = ask(Script([Card(A, parts=[None])]))
    assert "MIG" in empty.problem
    assert empty.devices == ()


WHEEL12, WHEEL13 = ("cupy-cuda12x",), ("cupy-cuda13x",)
BOTH = frozenset({12, 13})


@pytest.mark.parametrize(
    ("stack", "cuda", "capability", "remedy"),
    [
        (FIT, 13000, (9, 0), ""),
        (CudaStack(WHEEL12, True, BOTH), 13000, (9, 0), ""),
        (CudaStack(WHEEL12, True, BOTH), 12040, (9, 0), ""),
        (CudaStack(("cupy",), True, frozenset({12})), 13000, (9, 0), ""),
        # CuPy from conda or built from source.
        (CudaStack((), True, frozenset({13})), 13000, (9, 0), ""),
        (CudaStack((), False, BOTH), 13020, (9, 0), install_extra("cuda13")),
        (CudaStack((), False, BOTH), 12080, (9, 0), install_extra("cuda12")),
        (CudaStack((), False, BOTH), 13000, (7, 0), install_extra("cuda12")),
        (CudaStack((), False, BOTH), 11080, (9, 0), "install NVIDIA driver 525 or newer"),
        (
            CudaStack((), False, BOTH),
            None,
            (9, 0),
            install_extra("cuda13"),
        ),  # by the driver
        (FIT, 12080, (9, 0), f"{uninstall('cupy-cuda13x')} && {install_extra('cuda12')}"),
        (FIT, 13000, (7, 0), f"{uninstall('cupy-cuda13x')} && {install_extra('cuda12')}"),
        (
            CudaStack(WHEEL12 + WHEEL13, True, BOTH),
            13000,
            (9, 0),
            f"{uninstall('cupy-cuda12x', 'cupy-cuda13x')} && {install_extra('cuda13')}",
        ),
        (CudaStack(WHEEL13, True, frozenset()), 13000, (9, 0), install_extra("cuda13")),
        (
            CudaStack(WHEEL12, True, frozenset({13})),
            13000,
            (9, 0),
            install_extra("cuda12"),
        ),
        (CudaStack(("cupy",), True, frozenset()), 12000, (9, 0), install_extra("cuda12")),
    ],
)
def test_the_packages_fit_the_driver_or_a_line_says_how(
    ask: Ask, stack: CudaStack, cuda: int | None, capability: tuple[int, int], remedy: str
) -> None:
    gpus = ask(Script([Card(A, capability=capability)], cuda=cuda), stack=stack)
    assert gpus.present
    assert gpus.remedy == remedy
    assert bool(gpus.problem) == bool(remedy)
    assert gpus.usable == (not remedy)


def test_an_unknown_capability_is_not_an_old_gpu(ask: Ask) -> None:
    assert ask(Script([Card(A, capability=(0, 0))])).usable


@given(
    st.builds(
        CudaStack,
        st.sampled_from([(), WHEEL12, WHEEL13, WHEEL12 + WHEEL13, ("cupy",)]),
        st.booleans(),
        st.frozensets(st.sampled_from([11, 12, 13])),
    ),
    st.none() | st.tuples(st.integers(10, 14), st.integers(0, 9)),
    st.lists(st.tuples(st.integers(5, 12), st.integers(0, 9)), max_size=3),
)
def test_a_problem_always_has_a_remedy(
    stack: CudaStack, cuda: tuple[int, int] | None, capabilities: list[tuple[int, int]]
) -> None:
    problem, remedy = complaint(stack, "1.2", cuda, capabilities)
    assert bool(problem) == bool(remedy)
    assert "\n" not in problem + remedy


def test_the_run_time_compiler_is_found_where_it_lies(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    names: dict[str, str] = {}
    monkeypatch.setattr(cuda_stack, "installed", lambda: names)
    root = plant(
        {
            "opt/cuda/lib64/libnvrtc.so.12.4.99": "",
            "extra/libnvrtc.so.11.2": "",
            "usr/lib/aarch64-linux-gnu/libnvrtc.so.13": "",
            "usr/local/cuda/targets/sbsa-linux/lib/libnvrtc.so.10": "",
            "usr/lib64/libnvrtc-builtins.so.9": "",
        }
    )
    environ = {"CUDA_HOME": "/opt/cuda", "LD_LIBRARY_PATH": "relative::/extra"}
    assert read_stack(root, environ).nvrtc == {10, 11, 12, 13}
    assert read_stack(root / "none", {}).nvrtc == frozenset()
    names |= {
        "nvidia-cuda-nvrtc-cu12": "12.9.86",
        "nvidia-cuda-nvrtc": "13.0.88",
        "cupy-cuda12x": "14.2.0",
    }
    stack = read_stack(root / "none", {})
    assert stack.nvrtc == {12, 13}
    assert stack.cupy == ("cupy-cuda12x",)


def test_looking_for_cupy_does_not_import_it() -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from membench.machine.gpus.cuda_stack import read_stack;"
        "read_stack(Path('/'), {}); print('cupy' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


UUIDS = st.lists(st.uuids().map(lambda uuid: f"GPU-{uuid}"), min_size=1, max_size=5, unique=True)


@given(st.none() | st.text(), UUIDS)
def test_visible_devices_are_some_of_the_machine_once_each(
    setting: str | None, uuids: list[str]
) -> None:
    chosen = visible(setting, uuids)
    assert set(chosen) <= set(uuids)
    assert len(set(chosen)) == len(chosen)
    if hides_all(setting):
        assert chosen == []


@given(st.data(), UUIDS)
def test_indices_and_uuids_keep_their_order_and_end_at_the_first_stranger(
    data: st.DataObject, uuids: list[str]
) -> None:
    order = data.draw(st.permutations(range(len(uuids))))
    wanted = [uuids[index] for index in order]
    assert visible(",".join(map(str, order)), uuids) == wanted
    assert visible(" , ".join(wanted), uuids) == wanted
    cut = data.draw(st.integers(0, len(order)))
    with_stranger = [*map(str, order[:cut]), str(len(uuids)), *map(str, order[cut:])]
    assert visible(",".join(with_stranger), uuids) == wanted[:cut]


@pytest.mark.parametrize(
    ("setting", "chosen"),
    [
        (None, [A, B, C]),
        ("", []),
        ("-1", []),
        ("0,2", [A, C]),
        ("0,2,-1,1", [A, C]),
        ("0,,1", [A]),
        ("1,1", []),
        ("1gpu2,2ampere", [B, C]),
        ("0x1", [A]),
        ("GPU-b", [C]),
        ("GPU-aaaa", []),
        ("GPU-aaaa2,GPU-b", [B, C]),
        ("GPU-b,0", [C]),
        ("0,GPU-b", [A]),
        ("99999999999", []),
    ],
)
def test_visible_devices_as_cuda_reads_them(setting: str | None, chosen: list[str]) -> None:
    assert visible(setting, [A, B, C]) == chosen
