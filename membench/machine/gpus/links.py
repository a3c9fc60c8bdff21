"""The links of a GPU (PCI Express, NVLink, chip-to-chip), its NUMA node and its BAR1.

An idle link reduces its speed, so `pcie_now` is meaningful only while copies run. Source of names
and units: nvml.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.snapshot import GpuLinks, Gpus
from membench.machine.gpus.state import GpuReader, NoAnswer

# nvidia-ml-py defines NVML_P2P_CAPS_INDEX_READ as a tuple, but the call accepts only a number.
_P2P_READ = 0  # nvmlGpuP2PCapsIndex_t

P2P_STATUS: Mapping[int, str] = MappingProxyType(
    {
        0: "ok",
        1: "the chipset does not support direct access",
        2: "the GPU does not support direct access",
        3: "the topology of the I/O hub does not support direct access",
        4: "a driver setting (registry key) disables direct access",
        5: "not supported",
    }
)
"""Text for each nvmlGpuP2PStatus_t, except 6 ("unknown")."""

NVLINKS = 36
"""Maximum number of NVLinks per GPU (NVML_NVLINK_MAX_LINKS)."""


def read_links(gpus: Gpus, root: Path = Path("/")) -> tuple[GpuLinks, ...]:
    """The links of ``gpus.devices``, in the order of the devices.

    Devices that NVML does not list are left out. The result is empty if NVML is not available or a
    device stops responding.
    """
    if not gpus.present:
        return ()
    try:
        reader = GpuReader.open(root)
    except NoAnswer:
        return ()
    try:
        return tuple(_links(reader, gpu.uuid) for gpu in gpus.devices if gpu.uuid in reader.uuids)
    except NoAnswer:
        return ()
    finally:
        reader.close()


def pcie_now(uuid: str) -> str:
    """The present state of a GPU's PCI Express link, such as ``gen5x16``; empty if unknown.

    The result is ``c2c`` if the GPU has no real PCI Express link; see `GpuState.has_pcie`. ``uuid``
    is a value of `GpuIdentity.uuid`.
    """
    try:
        reader = GpuReader.open()
    except NoAnswer:
        return ""
    try:
        state = reader.read(uuid)
    except NoAnswer:
        return ""
    finally:
        reader.close()
    if not state.has_pcie:
        return "c2c"
    known = state.link_generation and state.link_width
    return f"gen{state.link_generation}x{state.link_width}" if known else ""


def peer_access(uuid: str, other: str) -> str:
    """``ok`` if GPU ``uuid`` can read the memory of ``other``; else the obstacle; empty if unknown.

    Both arguments are values of `GpuIdentity.uuid`.
    """
    try:
        reader = GpuReader.open()
    except NoAnswer:
        return ""
    try:
        status = reader.ask_pair(uuid, other, "nvmlDeviceGetP2PStatus", _P2P_READ)
    finally:
        reader.close()
    return P2P_STATUS.get(status, "") if status is not None else ""


def _links(reader: GpuReader, uuid: str) -> GpuLinks:
    state = reader.read(uuid)

    def one(name: str, *arguments: Any) -> Any:
        return reader.ask(uuid, name, *arguments)

    bar = one("nvmlDeviceGetBAR1MemoryInfo")
    active = [link for link in range(NVLINKS) if one("nvmlDeviceGetNvLinkState", link)]
    return GpuLinks(
        uuid=uuid,
        generation=state.link_generation if state.has_pcie else None,
        generation_max=state.link_generation_max if state.has_pcie else None,
        width=state.link_width if state.has_pcie else None,
        width_max=state.link_width_max if state.has_pcie else None,
        nvlinks=len(active),
        nvlink_version=one("nvmlDeviceGetNvLinkVersion", active[0]) if active else None,
        c2c=state.c2c,
        node=state.node if state.node is not None and state.node >= 0 else None,
        bar1=None if bar is None else int(bar.bar1Total),
    )
