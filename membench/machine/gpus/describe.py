"""The NVIDIA GPUs, asked of NVML: no CUDA context is opened and CuPy is not imported.

NVML numbers the GPUs by bus address; CUDA may number them otherwise (fastest
first) unless CUDA_DEVICE_ORDER=PCI_BUS_ID is set, so who works on a device finds it by UUID.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from membench.core.snapshot import Gpu, Gpus
from membench.machine.gpus.cuda_stack import Stack, Version, complaint, read_stack
from membench.machine.gpus.nvml import ask, hashed, text
from membench.machine.gpus.visible import hides_all, visible
from membench.machine.kernel_text import integer, present, read

_NVIDIA_VENDOR = "0x10de"
_DISPLAY_CLASS = "0x03"
_LIBRARY = "libnvidia-ml.so.1"

# nvmlReturn_t of nvml.h; by number, because pynvml makes its exception classes at run time.
_NO_PERMISSION = 4
_NOT_LOADED = 9
_NO_LIBRARY = 12
_LOST = 15
_RESET_REQUIRED = 16
_BLOCKED = 17
_VERSION_MISMATCH = 18

_INIT_FAILED = {
    _NO_PERMISSION: (
        "no permission to use the NVIDIA driver",
        "add your user to the group that owns /dev/nvidiactl, or grant the container its devices",
    ),
    _NOT_LOADED: (
        "an NVIDIA GPU is there, but its kernel driver is not loaded",
        "load it with 'sudo modprobe nvidia'; if that fails, reinstall the driver for this kernel",
    ),
    _NO_LIBRARY: (
        f"the GPU's device files are there, but the driver's library {_LIBRARY} is not",
        "start the container with --gpus all, or install the user-space part of the driver",
    ),
    _LOST: ("a GPU has fallen off the bus", "reboot the machine; look at 'dmesg | grep Xid'"),
    _RESET_REQUIRED: ("a GPU needs a reset", "reboot the machine, or ask its owner for a reset"),
    _BLOCKED: (
        "the operating system blocks the NVIDIA driver",
        "grant the container the GPU's devices, or reboot after a driver upgrade",
    ),
    _VERSION_MISMATCH: (
        "the NVIDIA driver's library and its kernel module differ in version",
        "reboot: the driver was upgraded while its old kernel module stayed loaded",
    ),
}


@dataclass(frozen=True)
class _Found:
    """A GPU or MIG instance as NVML names it; ``uuid`` still the true one."""

    uuid: str
    gpu: Gpu
    instances: tuple[_Found, ...] | None = None  # None: not in MIG mode


def read_gpus(
    root: Path = Path("/"),
    environ: Mapping[str, str] | None = None,
    stack: Stack | None = None,
) -> Gpus:
    """The GPUs that CUDA will show to this process, and what stands in their way.

    No GPU, or one without NVIDIA's driver, is no problem: the answer is `Gpus()`.
    A MIG instance counts as a GPU of its own size with its parent's index.

    Args:
        root: where /dev, /proc and /sys are found.
        environ: the environment; that of this process where None.
        stack: what is installed; looked up where None.
    """
    environ = os.environ if environ is None else environ
    if not _driver_traces(root, environ):
        return Gpus()  # spares the import of pynvml
    version = read(root / "sys/module/nvidia/version")
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return Gpus(version, "", (), "nvidia-ml-py is not installed", "pip install nvidia-ml-py")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return _no_nvml(error, version, root)
    try:
        return _read(nvml, root, environ, stack)
    except nvml.NVMLError as error:
        problem = f"the NVIDIA driver does not answer: {error}"
        return Gpus(version, "", (), problem, "see what nvidia-smi says; a reboot may help")
    finally:
        ask(nvml, nvml.nvmlShutdown, None)


def _driver_traces(root: Path, environ: Mapping[str, str]) -> bool:
    """Whether there is any sign of an NVIDIA driver or GPU."""
    traces = ["dev/nvidiactl", "dev/dxg", "dev/nvgpu", "proc/driver/nvidia", "sys/module/nvidia"]
    # Some container hosts mount the driver's libraries where only the loader is told to look.
    folders = environ.get("LD_LIBRARY_PATH", "").split(":")
    traces += [f"{one.lstrip('/')}/{_LIBRARY}" for one in folders if one.startswith("/")]
    return any(present(root / trace) for trace in traces) or _on_the_bus(root)


def _on_the_bus(root: Path) -> bool:
    """Whether the PCI bus shows an NVIDIA GPU (not: its sound device or a switch)."""
    try:
        devices = list((root / "sys/bus/pci/devices").iterdir())
    except OSError:
        return False
    return any(
        read(device / "vendor") == _NVIDIA_VENDOR
        and read(device / "class").startswith(_DISPLAY_CLASS)
        for device in devices
    )


def _no_nvml(error: Any, version: str, root: Path) -> Gpus:
    """NVML cannot be started: a fault, or simply a machine without a GPU for us."""
    code = error.value
    nodes = present(root / "dev/nvidiactl")
    if (code == _NO_LIBRARY and not nodes) or (
        code == _NOT_LOADED and not nodes and not _on_the_bus(root)
    ):
        return Gpus()
    fallback = (f"the NVIDIA driver cannot be used: {error}", "see what nvidia-smi says")
    return Gpus(version, "", (), *_INIT_FAILED.get(code, fallback))


def _read(nvml: Any, root: Path, environ: Mapping[str, str], stack: Stack | None) -> Gpus:
    driver = text(ask(nvml, nvml.nvmlSystemGetDriverVersion, ""))
    number = ask(nvml, nvml.nvmlSystemGetCudaDriverVersion, 0)  # 13020 for 13.2
    cuda: Version | None = (number // 1000, number % 1000 // 10) if number else None
    named = f"{cuda[0]}.{cuda[1]}" if cuda else ""
    found, broken = _enumerate(nvml)
    if not found:
        return Gpus(driver, named, (), *broken)
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    devices, problem, remedy = _shown(found, setting)
    if devices:
        stack = stack or read_stack(root, environ)
        problem, remedy = complaint(stack, driver, cuda, [_capability(gpu) for gpu in devices])
    return Gpus(driver, named, devices, problem, remedy)


def _shown(found: list[_Found], setting: str | None) -> tuple[tuple[Gpu, ...], str, str]:
    """The devices that CUDA will show, or why there is none."""
    everything = {one.uuid: one for one in found}
    for one in found:
        everything |= {instance.uuid: instance for instance in one.instances or ()}
    instances = [uuid for uuid in everything if uuid not in {one.uuid for one in found}]
    chosen = [everything[uuid] for uuid in visible(setting, [one.uuid for one in found], instances)]
    if not chosen:
        if hides_all(setting):
            return (), "", ""
        return (
            (),
            f"CUDA_VISIBLE_DEVICES={setting!r} names no GPU of this machine",
            "unset CUDA_VISIBLE_DEVICES, or give it a number or UUID that 'nvidia-smi -L' lists",
        )
    whole = tuple(one.gpu for one in chosen if one.instances is None)
    if whole:
        return whole, "", ""
    # CUDA shows one instance to a process: that which is named, or the first.
    first = next((part for one in chosen for part in one.instances or ()), None)
    if first is not None:
        return (first.gpu,), "", ""
    return (
        (),
        "the GPU is split by MIG, and no instance of it exists",
        "ask the machine's owner to create a MIG instance or to switch MIG off",
    )


def _enumerate(nvml: Any) -> tuple[list[_Found], tuple[str, str]]:
    """All GPUs in NVML's order, and a complaint about the last one that did not answer."""
    found: list[_Found] = []
    broken = ("", "")
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = text(nvml.nvmlDeviceGetUUID(handle))
        except nvml.NVMLError as error:
            fallback = (f"GPU {index} does not answer: {error}", "see what nvidia-smi says")
            broken = _INIT_FAILED.get(error.value, fallback)
            continue
        capability = ask(nvml, partial(nvml.nvmlDeviceGetCudaComputeCapability, handle), (0, 0))
        gpu = _describe(nvml, handle, uuid, index, capability)
        found.append(_Found(uuid, gpu, _instances(nvml, handle, index, capability)))
    return found, broken


def _instances(
    nvml: Any, handle: Any, index: int, capability: Version
) -> tuple[_Found, ...] | None:
    """The MIG instances of a GPU, None where it is not split."""
    mode = ask(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle), (0, 0))
    if not mode[0]:
        return None
    found = []
    for slot in range(ask(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle), 0)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
            uuid = text(nvml.nvmlDeviceGetUUID(part))
        except nvml.NVMLError:
            continue  # slots may be empty
        found.append(_Found(uuid, _describe(nvml, part, uuid, index, capability)))
    return tuple(found)


def _describe(nvml: Any, handle: Any, uuid: str, index: int, capability: Version) -> Gpu:
    memory = ask(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total), 0)
    return Gpu(
        index=index,
        name=text(ask(nvml, lambda: nvml.nvmlDeviceGetName(handle), "")),
        uuid=hashed(uuid),
        memory=memory,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability[0] else "",
        sm_mhz=ask(
            nvml, lambda: int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)), 0
        ),
    )


def _capability(gpu: Gpu) -> Version:
    major, _, minor = gpu.compute_capability.partition(".")
    # An unknown capability must not be taken for an old GPU.
    return integer(major) or 99, integer(minor) or 0
