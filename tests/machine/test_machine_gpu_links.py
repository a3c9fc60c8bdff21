"""The links of a GPU, through the real bindings and a stand-in for NVIDIA's library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from c_library import build
from rich.console import Console

from membench.core.plain import load
from membench.core.snapshot import GpuIdentity, GpuLinks, Gpus, Machine
from membench.machine import snapshot
from membench.machine.gpus.links import peer_access, read_links
from membench.machine.gpus.nvml import hashed
from membench.report.screens.info import print_machine

SOURCE = Path(__file__).parents[1] / "support" / "topology_stub.c"
FIRST, SECOND = hashed("GPU-first"), hashed("GPU-second")

# The loader keeps the stand-in for the whole process, so a separate process makes the queries.
ASK = """
import ctypes, json, sys
from pathlib import Path
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
from membench.machine.gpus.links import pcie_now, read_links
from membench.core.snapshot import GpuIdentity, Gpus
from membench.core.plain import dump
gpus = Gpus(devices=tuple(GpuIdentity(0, "", uuid, 0, "9.0") for uuid in sys.argv[3].split(",")))
links = read_links(gpus, Path(sys.argv[2]))
print(json.dumps([[dump(one) for one in links], [pcie_now(gpu.uuid) for gpu in gpus.devices]]))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1", SOURCE)


def ask(library: Path, root: Path, *uuids: str) -> tuple[list[GpuLinks], list[str]]:
    command = [sys.executable, "-c", ASK, str(library), str(root), ",".join(uuids)]
    said: Any = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return [load(GpuLinks, one) for one in said[0]], said[1]


def test_links_are_read_and_what_is_not_known_is_none(library: Path, tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:3b:00.0"
    device.mkdir(parents=True)
    (device / "numa_node").write_text("1\n")
    # In the order of the machine's devices, which CUDA_VISIBLE_DEVICES defines.
    links, now = ask(library, tmp_path, SECOND, FIRST, "0123456789ab")
    assert links == [
        GpuLinks(uuid=SECOND),
        GpuLinks(
            uuid=FIRST,
            generation=1,
            generation_max=5,
            width=16,
            width_max=16,
            nvlinks=17,
            nvlink_version=7,
            c2c=True,
            node=1,
            bar1=128 << 30,
        ),
    ]
    assert now == ["", "gen1x16", ""]


def test_a_firmware_that_does_not_say_leaves_the_node_open(library: Path, tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:3b:00.0"
    device.mkdir(parents=True)
    (device / "numa_node").write_text("-1\n")
    ((first,), _) = ask(library, tmp_path, FIRST)
    assert first.node is None


def test_a_machine_without_gpus_asks_nobody() -> None:
    assert read_links(Gpus()) == ()


def shown(machine: Machine) -> str:
    out = io.StringIO()
    print_machine(Console(file=out, width=100, color_system=None), machine)
    return out.getvalue()


def test_info_shows_the_links() -> None:
    gpu = GpuIdentity(0, "NVIDIA H100 80GB HBM3", FIRST, 80 << 30, "9.0")
    links = GpuLinks(
        FIRST, generation_max=5, width_max=16, nvlinks=18, c2c=False, node=1, bar1=128 << 30
    )
    machine = replace(snapshot(), gpus=Gpus("580.1", "13.0", (gpu,)), links=(links,))
    assert "PCIe 5.0 x16, 18 NVLinks, memory node 1, BAR1 128 GiB" in shown(machine)
    unknown = replace(machine, links=(GpuLinks(FIRST, c2c=True),))
    assert "chip-to-chip link to the CPU, memory node unknown" in shown(unknown)


def test_info_shows_links_beside_their_own_gpu() -> None:
    gpus = [GpuIdentity(n, "NVIDIA H100", uuid, 1, "9.0") for n, uuid in enumerate((FIRST, SECOND))]
    links = (GpuLinks(SECOND, nvlinks=18),)  # the first GPU stopped responding
    text = shown(replace(snapshot(), gpus=Gpus("580.1", "13.0", tuple(gpus)), links=links))
    assert "links of GPU 0" not in text
    assert "18 NVLinks" in next(line for line in text.splitlines() if "links of GPU 1" in line)


def test_an_older_snapshot_without_links_can_be_read() -> None:
    from membench.core.plain import dump

    plain = dump(snapshot())
    del plain["links"]
    assert load(Machine, plain).links == ()


PEERS = """
import ctypes, sys
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
from membench.machine.gpus.links import peer_access
for one, other in zip(sys.argv[2::2], sys.argv[3::2]):
    print(peer_access(one, other))
"""


def test_peer_access_is_asked_of_nvml_with_plain_numbers(library: Path) -> None:
    """The bindings define the constant for reading as a tuple, which no call accepts."""
    pairs = (FIRST, SECOND, SECOND, FIRST, FIRST, "0123456789ab")
    command = [sys.executable, "-c", PEERS, str(library), *pairs]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert said.splitlines() == ["the chipset does not support direct access", "ok", ""]


def test_without_nvml_nothing_is_known_of_peers() -> None:
    assert peer_access(FIRST, SECOND) == ""
