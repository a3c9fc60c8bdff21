"""List the NVIDIA GPUs through NVML, without a CUDA context and without CuPy.

NVML numbers GPUs by bus address. CUDA numbers the fastest GPU first, unless
CUDA_DEVICE_ORDER=PCI_BUS_ID is set. So membench always identifies a device by its UUID.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from membench.core.installing import install
from membench.core.record import record
from membench.core.snapshot import GpuFault, GpuIdentity, Gpus
from membench.machine.gpus.cuda_stack import CudaStack, Version, complaint, read_stack
from membench.machine.gpus.faults import faults_of
from membench.machine.gpus.nvml import ask, called, hashed, text
from membench.machine.gpus.state import is_integrated
from membench.machine.gpus.visible import hides_all, visible
from membench.machine.kernel_text import integer, present, read

_NVIDIA_VENDOR = "0x10de"
_DISPLAY_CLASS = "0x03"
_LIBRARY = "libnvidia-ml.so.1"
_WSL = "dev/dxg"
_WSL_FOLDER = "usr/lib/wsl/lib"
_JETSON = ("dev/nvgpu", "dev/nvhost-gpu")
_NO_JETSON_LIBRARY = (
    f"there is an integrated NVIDIA GPU (Jetson), but the library {_LIBRARY} is missing",
    "install JetPack 6 or newer, which contains that library",
)

# Values of nvmlReturn_t (nvml.h). The code uses numbers because pynvml creates the exception
# classes at run time.
_NO_PERMISSION = 4
_NOT_LOADED = 9
_NO_LIBRARY = 12
_LOST = 15
_RESET_REQUIRED = 16
_BLOCKED = 17
_VERSION_MISMATCH = 18

_REBOOT = "reboot the machine; 'sudo dmesg | grep Xid' shows the cause"
_RESET = "reboot the machine, or ask an administrator to reset the GPU"

_NO_ANSWER = {
    _LOST: ("the GPU has fallen off the bus", _REBOOT),
    _RESET_REQUIRED: ("the GPU does not respond and needs a reset", _RESET),
}

_NO_VERSION = GpuFault(
    None,
    "the NVIDIA driver does not report its version",
    "run nvidia-smi; if nvidia-smi shows no version either, reinstall the driver",
    shown=True,
)

_ADDRESSING = {0: "none", 1: "hmm", 2: "ats"}
"""Text for each value of nvmlDeviceAddressingModeType_t."""

_INIT_FAILED = {
    _NO_PERMISSION: (
        "no permission to use the NVIDIA driver",
        (
            "add your user to the group of /dev/nvidiactl, or give the container access to the "
            "GPU's devices"
        ),
    ),
    _NOT_LOADED: (
        "the machine has an NVIDIA GPU, but the NVIDIA kernel driver is not loaded",
        "run 'sudo modprobe nvidia'; if that fails, reinstall the driver for this kernel",
    ),
    _NO_LIBRARY: (
        f"the GPU's device files exist, but the driver's library {_LIBRARY} is missing",
        "start the container with --gpus all, or install the driver's user-space libraries",
    ),
    _LOST: ("a GPU has fallen off the bus", _REBOOT),
    _RESET_REQUIRED: ("a GPU needs a reset", _RESET),
    _BLOCKED: (
        "the operating system blocks the NVIDIA driver",
        "give the container access to the GPU's devices; if the driver was upgraded, reboot",
    ),
    _VERSION_MISMATCH: (
        "the NVIDIA driver's library and kernel module have different versions",
        "reboot the machine; the usual cause is an upgrade of the driver since the last boot",
    ),
}


@record
class _Found:
    """A GPU or MIG instance in NVML's list, with the plain UUID."""

    uuid: str
    gpu: GpuIdentity
    instances: tuple[_Found, ...] | None = None  # None if the GPU is not in MIG mode
    faults: tuple[GpuFault, ...] = ()

    @property
    def usable(self) -> bool:
        return all(fault.shown for fault in self.faults)


def read_gpus(
    root: Path = Path("/"),
    environ: Mapping[str, str] | None = None,
    stack: CudaStack | None = None,
) -> Gpus:
    """The GPUs that CUDA will show to this process, and problems that prevent or distort their use.

    A machine without an NVIDIA GPU, or without any part of NVIDIA's driver, is not a problem: the
    result is `Gpus()`. On WSL with a shared GPU, a missing NVML is a problem, because the GPU may
    be from NVIDIA. A MIG instance is listed as a GPU with the memory size of the instance and the
    index of its GPU.

    Args:
        root: directory that contains dev, proc and sys.
        environ: the environment; None for that of this process.
        stack: the installed packages; None to find them.
    """
    environ = os.environ if environ is None else environ
    if not _driver_traces(root, environ):
        return Gpus()  # avoids the slow import of pynvml
    version = read(root / "sys/module/nvidia/version")
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return Gpus(version, "", (), "nvidia-ml-py is not installed", install("nvidia-ml-py"))
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return _no_nvml(error, version, root)
    try:
        return _read(nvml, root, environ, stack)
    except nvml.NVMLError as error:
        problem = f"the NVIDIA driver does not respond: {error}"
        return Gpus(version, "", (), problem, "run nvidia-smi for details; a reboot may help")
    finally:
        ask(nvml, nvml.nvmlShutdown, None)


def _driver_traces(root: Path, environ: Mapping[str, str]) -> bool:
    traces = ["dev/nvidiactl", _WSL, *_JETSON, "proc/driver/nvidia", "sys/module/nvidia"]
    # On some container hosts, only LD_LIBRARY_PATH names the folder with the driver's libraries.
    folders = environ.get("LD_LIBRARY_PATH", "").split(":")
    traces += [f"{one.lstrip('/')}/{_LIBRARY}" for one in folders if one.startswith("/")]
    return any(present(root / trace) for trace in traces) or _on_the_bus(root)


def _on_the_bus(root: Path) -> bool:
    """Whether the PCI bus lists an NVIDIA GPU, and not only NVIDIA's sound devices and switches."""
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
    """The result of `read_gpus` if NVML cannot be initialised because of ``error``."""
    code = error.value
    nodes = present(root / "dev/nvidiactl")
    if code == _NO_LIBRARY and not nodes:
        if present(root / _WSL):
            return Gpus(version, "", (), *_no_wsl_library(root))
        if any(present(root / trace) for trace in _JETSON):
            return Gpus(version, "", (), *_NO_JETSON_LIBRARY)
    if (code == _NO_LIBRARY and not nodes) or (
        code == _NOT_LOADED and not nodes and not _on_the_bus(root)
    ):
        return Gpus()
    fallback = (f"the NVIDIA driver cannot be used: {error}", "run nvidia-smi for details")
    return Gpus(version, "", (), *_INIT_FAILED.get(code, fallback))


def _no_wsl_library(root: Path) -> tuple[str, str]:
    """Problem and remedy for WSL if Windows provides a GPU but the loader does not find NVML."""
    return (
        f"Windows shares a GPU with WSL (/dev/dxg), but the loader does not find {_LIBRARY}",
        f"export LD_LIBRARY_PATH=/{_WSL_FOLDER}"
        if present(root / _WSL_FOLDER / _LIBRARY)
        else "if the GPU is from NVIDIA, install its driver in Windows (not in Linux), then run "
        "'wsl --shutdown'; other GPUs are not supported",
    )


def _read(nvml: Any, root: Path, environ: Mapping[str, str], stack: CudaStack | None) -> Gpus:
    driver = text(ask(nvml, nvml.nvmlSystemGetDriverVersion, "")) or _module_version(root)
    number = ask(nvml, nvml.nvmlSystemGetCudaDriverVersion, 0)  # 13020 means CUDA 13.2
    cuda: Version | None = (number // 1000, number % 1000 // 10) if number else None
    named = f"{cuda[0]}.{cuda[1]}" if cuda else ""
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    found, lost = _enumerate(nvml)
    lost = [fault for fault in lost if _is_ours(fault, setting)]
    if not found:
        return Gpus(driver, named, (), *_first(lost), tuple(lost))
    chosen, problem, remedy = _shown(found, setting)
    devices = tuple(one.gpu for one in chosen if one.usable)
    faults = (*lost, *(fault for one in chosen for fault in one.faults))
    if devices:
        if not driver:
            faults = (*faults, _NO_VERSION)
        stack = stack or read_stack(root, environ)
        problem, remedy = complaint(stack, driver, cuda, [_capability(gpu) for gpu in devices])
    elif chosen:
        problem, remedy = _first(faults)
    return Gpus(driver, named, devices, problem, remedy, faults)


def _first(faults: Sequence[GpuFault]) -> tuple[str, str]:
    """The first problem that prevents the use of a GPU, and the remedy; empty if there is none."""
    for fault in faults:
        if not fault.shown:
            return f"GPU {fault.index}: {fault.problem}", fault.remedy
    return "", ""


def _is_ours(fault: GpuFault, setting: str | None) -> bool:
    """Whether CUDA_VISIBLE_DEVICES is not set, or lists the index of the GPU of ``fault``.

    UUIDs in CUDA_VISIBLE_DEVICES match no fault: a GPU that does not respond has an unknown UUID.
    """
    return setting is None or str(fault.index) in [one.strip() for one in setting.split(",")]


def _module_version(root: Path) -> str:
    """The version of the driver's kernel module, also visible in containers; empty if unknown."""
    if version := read(root / "sys/module/nvidia/version"):
        return version
    found = re.search(r"Kernel Module.*?\s(\d[\d.]+)\s", read(root / "proc/driver/nvidia/version"))
    return found[1] if found else ""


def _shown(found: list[_Found], setting: str | None) -> tuple[list[_Found], str, str]:
    """The GPUs that CUDA will show, including unusable GPUs; a problem; and a remedy.

    Problem and remedy are empty if CUDA shows a GPU, or if the user hides all GPUs on purpose.
    """
    everything = {one.uuid: one for one in found}
    for one in found:
        everything |= {instance.uuid: instance for instance in one.instances or ()}
    instances = [uuid for uuid in everything if uuid not in {one.uuid for one in found}]
    chosen = [everything[uuid] for uuid in visible(setting, [one.uuid for one in found], instances)]
    if not chosen:
        if hides_all(setting):
            return [], "", ""
        return (
            [],
            f"CUDA_VISIBLE_DEVICES={setting!r} does not match any GPU of this machine",
            "unset CUDA_VISIBLE_DEVICES, or set a number or UUID that 'nvidia-smi -L' lists",
        )
    whole = [one for one in chosen if one.instances is None]
    if whole:
        return whole, "", ""
    # CUDA shows only one MIG instance to a process.
    first = next((part for one in chosen for part in one.instances or ()), None)
    if first is not None:
        return [first], "", ""
    return (
        [],
        "MIG mode is on, but the GPU has no MIG instance",
        "ask the machine's owner to create a MIG instance or to switch MIG off",
    )


def _enumerate(nvml: Any) -> tuple[list[_Found], list[GpuFault]]:
    """All GPUs in NVML's order, and one fault per GPU that did not respond."""
    found: list[_Found] = []
    lost: list[GpuFault] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = text(nvml.nvmlDeviceGetUUID(handle))
        except nvml.NVMLError as error:
            fallback = (f"the GPU does not respond: {error}", "run nvidia-smi for details")
            lost.append(GpuFault(index, *_NO_ANSWER.get(error.value, fallback)))
            continue
        capability = ask(nvml, partial(nvml.nvmlDeviceGetCudaComputeCapability, handle), (0, 0))
        gpu = _describe(nvml, handle, uuid, index, capability)
        faults = tuple(faults_of(nvml, handle, index))
        parts = _instances(nvml, handle, index, capability)
        if parts is not None:
            parts = tuple(replace(part, faults=faults) for part in parts)
        found.append(_Found(uuid, gpu, parts, faults))
    return found, lost


def _instances(
    nvml: Any, handle: Any, index: int, capability: Version
) -> tuple[_Found, ...] | None:
    """The MIG instances of a GPU; None if MIG is off."""
    mode = ask(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle), (0, 0))
    if not mode[0]:
        return None
    found = []
    for slot in range(ask(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle), 0)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
            uuid = text(nvml.nvmlDeviceGetUUID(part))
        except nvml.NVMLError:
            continue  # an index may have no instance
        found.append(_Found(uuid, _describe(nvml, part, uuid, index, capability)))
    return tuple(found)


def _describe(nvml: Any, handle: Any, uuid: str, index: int, capability: Version) -> GpuIdentity:
    node = called(nvml, "nvmlDeviceGetNumaNodeId", handle)
    return GpuIdentity(
        index=index,
        name=text(ask(nvml, lambda: nvml.nvmlDeviceGetName(handle), "")),
        uuid=hashed(uuid),
        memory=ask(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total), 0) or None,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability[0] else "",
        sm_mhz=ask(
            nvml, lambda: int(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)), 0
        ),
        integrated=is_integrated(capability),
        addressing=_ADDRESSING.get(called(nvml, "nvmlDeviceGetAddressingMode", handle), ""),
        memory_node=node if node is not None and node >= 0 else None,
    )


def with_host_memory(gpus: Gpus, total: int) -> Gpus:
    """A copy of ``gpus`` in which integrated GPUs of unknown memory size have ``total`` bytes."""
    return replace(
        gpus,
        devices=tuple(
            replace(gpu, memory=total or None) if gpu.integrated and gpu.memory is None else gpu
            for gpu in gpus.devices
        ),
    )


def _capability(gpu: GpuIdentity) -> Version:
    major, _, minor = gpu.compute_capability.partition(".")
    # 99, so that an unknown GPU does not count as old.
    return integer(major) or 99, integer(minor) or 0
