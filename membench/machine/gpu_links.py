"""What a GPU is connected with: PCI Express, NVLink, the chip-to-chip link, its memory node, BAR1.

Asked of NVML, which opens no CUDA context.  An idle link trains down, so its
present speed only says something while copies run: `pcie_now` is asked then.
Source of names and units: nvml.h.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from membench.machine.files import integer, read
from membench.machine.model import GpuLinks, Gpus
from membench.machine.nvml import ask, hashed, text

_T = TypeVar("_T")

NVLINKS = 36
"""Links of a GPU at most: NVML_NVLINK_MAX_LINKS."""


def read_links(gpus: Gpus, root: Path = Path("/")) -> tuple[GpuLinks, ...]:
    """The links of ``gpus.devices``, in their order; empty where NVML cannot be asked.

    Args:
        root: where /sys is found.
    """
    if not gpus.present:
        return ()
    nothing: dict[str, GpuLinks] = {}
    found = _with_nvml(lambda nvml: {one.uuid: one for one in _all_links(nvml, root)}, nothing)
    return tuple(found[gpu.uuid] for gpu in gpus.devices if gpu.uuid in found)


def pcie_now(uuid: str) -> str:
    """How the PCI Express link of a GPU is trained at this moment: ``gen5x16``; empty if unknown.

    Args:
        uuid: hashed, as in `GpuLinks`.
    """

    def question(nvml: Any) -> str:
        for handle, uuids in _handles(nvml):
            if uuid in uuids:
                generation = ask(
                    nvml, partial(nvml.nvmlDeviceGetCurrPcieLinkGeneration, handle), None
                )
                width = ask(nvml, partial(nvml.nvmlDeviceGetCurrPcieLinkWidth, handle), None)
                return f"gen{generation}x{width}" if generation and width else ""
        return ""

    return _with_nvml(question, "")


def _with_nvml(question: Callable[[Any], _T], otherwise: _T) -> _T:
    """``question`` asked of NVML, which is let go afterwards."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except ImportError:
        return otherwise
    except nvml.NVMLError:
        return otherwise
    try:
        return question(nvml)
    except nvml.NVMLError:
        return otherwise
    finally:
        ask(nvml, nvml.nvmlShutdown, None)


def _all_links(nvml: Any, root: Path) -> Iterator[GpuLinks]:
    for handle, uuids in _handles(nvml):
        for uuid in uuids:
            yield _links(nvml, handle, uuid, root)


def _handles(nvml: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Every GPU, with its own hashed UUID and those of its MIG instances."""
    for index in range(ask(nvml, nvml.nvmlDeviceGetCount, 0)):
        handle = ask(nvml, partial(nvml.nvmlDeviceGetHandleByIndex, index), None)
        if handle is None:
            continue
        named = [handle, *_instances(nvml, handle)]
        uuids = (text(ask(nvml, partial(nvml.nvmlDeviceGetUUID, one), "")) for one in named)
        yield handle, tuple(hashed(uuid) for uuid in uuids if uuid)


def _instances(nvml: Any, handle: Any) -> list[Any]:
    if not ask(nvml, partial(nvml.nvmlDeviceGetMigMode, handle), (0, 0))[0]:
        return []
    slots = range(ask(nvml, partial(nvml.nvmlDeviceGetMaxMigDeviceCount, handle), 0))
    asked = (
        ask(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot), None)
        for slot in slots
    )
    return [instance for instance in asked if instance is not None]


def _links(nvml: Any, handle: Any, uuid: str, root: Path) -> GpuLinks:
    def one(question: Callable[..., Any], *arguments: Any) -> Any:
        return ask(nvml, partial(question, handle, *arguments), None)

    bar = one(nvml.nvmlDeviceGetBAR1MemoryInfo)
    c2c = one(nvml.nvmlDeviceGetC2cModeInfoV)
    active = [link for link in range(NVLINKS) if one(nvml.nvmlDeviceGetNvLinkState, link)]
    version = one(nvml.nvmlDeviceGetNvLinkVersion, active[0]) if active else None
    return GpuLinks(
        uuid=uuid,
        generation=one(nvml.nvmlDeviceGetCurrPcieLinkGeneration),
        generation_max=one(nvml.nvmlDeviceGetMaxPcieLinkGeneration),
        width=one(nvml.nvmlDeviceGetCurrPcieLinkWidth),
        width_max=one(nvml.nvmlDeviceGetMaxPcieLinkWidth),
        nvlinks=len(active),
        nvlink_version=version,
        c2c=None if c2c is None else bool(c2c.isC2cEnabled),
        node=_node(one(nvml.nvmlDeviceGetPciInfo), root),
        bar1=None if bar is None else int(bar.bar1Total),
    )


def _node(pci: Any, root: Path) -> int | None:
    """The memory node by sysfs; None where it, or the firmware (-1), does not say."""
    if pci is None:
        return None
    address = text(pci.busId).lower()  # 00000000:3B:00.0, where sysfs writes four zeros
    domain, _, rest = address.partition(":")
    node = integer(read(root / f"sys/bus/pci/devices/{domain[-4:]}:{rest}/numa_node"))
    return node if node is not None and node >= 0 else None
