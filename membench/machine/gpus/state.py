"""The state of a GPU at one moment, from NVML: clocks, limits, link, errors, other processes.

Reading the state changes nothing and opens no CUDA context. So a parent process may read it while
its worker measures on the device. Source of names and units: nvml.h.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from membench.core.errors import MembenchError
from membench.core.installing import install
from membench.core.record import record
from membench.machine.gpus.nvml import ask, called, hashed, text
from membench.machine.kernel_text import integer, read

SLOWDOWNS: Mapping[int, str] = MappingProxyType(
    {
        0x04: "power cap",
        0x08: "hardware slowdown",
        0x20: "heat (software)",
        0x40: "heat (hardware)",
        0x80: "power brake",
    }
)
"""Texts for the bits of `GpuState.reasons`, for the reasons that lower a clock.

Bits for idleness (0x1), clocks that a user chose (0x2, 0x100) and clocks of other GPUs in a boost
group (0x10) are left out.
"""

_INTEGRATED = frozenset({(5, 3), (6, 2), (7, 2), (8, 7), (10, 1), (11, 0), (12, 1)})
"""Compute capabilities that only systems on a chip have.

They are Jetson TX1, TX2, Xavier, Orin, Thor (10.1 before CUDA 13) and GB10. Source:
developer.nvidia.com/cuda-gpus and the CUDA 13 release notes.
"""

_POLICIES = (0, 1, 3)  # power, thermal and board limit in nvmlPerfPolicyType_t


@record
class GpuState:
    """The state of a GPU. A field is None if the GPU and the driver do not report the value.

    Attributes:
        uuid: hash of the GPU's UUID, as in `GpuIdentity`.
        sm_mhz, memory_mhz: present clocks.
        sm_mhz_set: the application clock, which an administrator may have lowered.
        performance: performance state from 0 (busy) to 15 (idle).
        reasons: bit mask of the reasons why the clock is not higher; see `SLOWDOWNS`.
        held_ns: nanoseconds in which power, heat or the board's limit lowered the clocks, since the
            driver was loaded.
        temperature, memory_temperature: temperatures of chip and memory in degrees Celsius.
        power, power_limit, power_default: present power, power limit and default power limit, in
            watts.
        ecc, mig, persistence, confidential: whether these modes are on. With confidential
            computing, the host link is encrypted.
        ecc_errors: uncorrected memory errors since the driver was loaded.
        link_generation, link_width: present PCI Express generation and number of lanes.
        link_generation_max, link_width_max: maximum that both the device and the slot support.
        processes: host process ids of the processes that compute on the GPU.
        c2c: whether the chip-to-chip link to the CPU is in use.
        integrated: whether the GPU is on one chip with the CPU and uses host memory.
        bus_bits: width of the memory bus in bits.
        node: the NUMA node that the GPU is attached to; -1 if the firmware does not report it.
    """

    uuid: str
    index: int = 0
    name: str = ""
    sm_mhz: int | None = None
    sm_mhz_max: int | None = None
    sm_mhz_set: int | None = None
    memory_mhz: int | None = None
    memory_mhz_max: int | None = None
    performance: int | None = None
    reasons: int | None = None
    held_ns: int | None = None
    temperature: int | None = None
    memory_temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    power_default: float | None = None
    ecc: bool | None = None
    ecc_errors: int | None = None
    mig: bool | None = None
    persistence: bool | None = None
    link_generation: int | None = None
    link_generation_max: int | None = None
    link_width: int | None = None
    link_width_max: int | None = None
    processes: tuple[int, ...] | None = None
    bus_bits: int | None = None
    confidential: bool | None = None
    node: int | None = None
    c2c: bool | None = None
    integrated: bool | None = None

    @property
    def fed_by_pcie(self) -> bool:
        return not (self.c2c or self.integrated)

    @property
    def has_pcie(self) -> bool:
        """Whether the PCI Express values describe a real link.

        GB10 and similar chips report only PCIe 1.0 x1.
        """
        least = (self.link_generation_max or 1, self.link_width_max or 1) == (1, 1)
        return not self.integrated and not (self.c2c and least)

    @property
    def slowdowns(self) -> tuple[str, ...]:
        """The present reasons for a reduced clock, as texts."""
        return tuple(word for bit, word in SLOWDOWNS.items() if (self.reasons or 0) & bit)

    @property
    def peak_bandwidth(self) -> float | None:
        """Peak memory bandwidth in GB/s, at two transfers per clock; None if unknown."""
        if not self.memory_mhz_max or not self.bus_bits:
            return None
        return 2 * self.memory_mhz_max * 1e6 * self.bus_bits / 8 / 1e9


class NoAnswer(MembenchError):
    """NVML is not available, or has no answer for a device."""


class GpuReader:
    """An open NVML session for repeated reads of the same devices."""

    def __init__(self, nvml: Any, root: Path = Path("/")) -> None:
        self._nvml = nvml
        self._root = root
        self._is_open = True
        self._handles: dict[str, tuple[int, Any]] = {}
        for index in range(ask(nvml, nvml.nvmlDeviceGetCount, 0)):
            handle = ask(nvml, partial(nvml.nvmlDeviceGetHandleByIndex, index), None)
            if handle is None:
                continue
            for one in (handle, *self._instances(handle)):
                # The handle of the GPU also for a MIG instance: only the GPU reports some facts.
                if uuid := text(ask(nvml, partial(nvml.nvmlDeviceGetUUID, one), "")):
                    self._handles[hashed(uuid)] = (index, handle)

    @classmethod
    def open(cls, root: Path = Path("/")) -> Self:
        """Initialise NVML, and return a reader for all devices.

        Raises:
            NoAnswer: NVML is missing or cannot be used.
        """
        try:
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
        except ImportError:
            raise NoAnswer("nvidia-ml-py is not installed", install("nvidia-ml-py")) from None
        except nvml.NVMLError as error:
            raise NoAnswer(
                f"NVML cannot be initialised: {error}", "run nvidia-smi for details"
            ) from None
        return cls(nvml, root)

    @property
    def uuids(self) -> tuple[str, ...]:
        """The hashed UUIDs of all GPUs and MIG instances that responded."""
        return tuple(self._handles)

    def read(self, uuid: str) -> GpuState:
        """The state of the device with the hashed UUID ``uuid``; for a MIG instance, of its GPU.

        Raises:
            NoAnswer: there is no such device, or the device no longer responds.
        """
        if uuid not in self._handles:
            raise NoAnswer(
                f"NVML lists no GPU with the hashed UUID {uuid}",
                "run 'nvidia-smi -L' to see whether a GPU is missing (it prints "
                "UUIDs without a hash)",
            )
        index, handle = self._handles[uuid]
        try:
            self._nvml.nvmlDeviceGetUUID(handle)  # every working GPU responds to this query
        except self._nvml.NVMLError as error:
            raise NoAnswer(f"GPU {index} no longer responds to NVML: {error}") from None
        return _state(self._nvml, handle, uuid, index, self._root)

    def ask(self, uuid: str, question: str, *arguments: Any) -> Any:
        """Call the NVML function ``question`` on the device ``uuid``, which is one of `uuids`.

        The result is None if NVML returns an error, or if the bindings lack the function.
        """
        return called(self._nvml, question, self._handles[uuid][1], *arguments)

    def ask_pair(self, uuid: str, other: str, question: str, *arguments: Any) -> Any:
        """Call the NVML function ``question`` on the devices ``uuid`` and ``other``.

        The result is None if NVML returns an error, if the bindings lack the function, or if a
        device is unknown.
        """
        if uuid not in self._handles or other not in self._handles:
            return None
        return self.ask(uuid, question, self._handles[other][1], *arguments)

    def close(self) -> None:
        """Shut NVML down. A second call does nothing."""
        self._handles.clear()
        if self._is_open:  # NVML counts: a second shutdown could end another session
            self._is_open = False
            ask(self._nvml, self._nvml.nvmlShutdown, None)

    def _instances(self, handle: Any) -> list[Any]:
        nvml = self._nvml
        mode = ask(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle), (0, 0))
        slots = ask(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle), 0) if mode[0] else 0
        found = [
            ask(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot), None)
            for slot in range(slots)
        ]
        return [part for part in found if part is not None]


def _state(nvml: Any, handle: Any, uuid: str, index: int, root: Path) -> GpuState:
    def one(question: Callable[..., Any], *arguments: Any) -> Any:
        return ask(nvml, lambda: question(handle, *arguments), None)

    def watts(question: Callable[..., Any]) -> float | None:
        milliwatts = one(question)
        return None if milliwatts is None else milliwatts / 1000

    def mode(question: Callable[..., Any]) -> bool | None:
        found = one(question)
        return None if found is None else bool(found[0] if isinstance(found, list) else found)

    def held() -> int | None:
        times = [one(nvml.nvmlDeviceGetViolationStatus, policy) for policy in _POLICIES]
        known = [time.violationTime for time in times if time is not None]
        return sum(known) if known else None

    sm, memory = nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM
    reasons = one(nvml.nvmlDeviceGetCurrentClocksEventReasons)
    if reasons is None:  # drivers before 535 know only the function's old name
        reasons = one(nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
    # With an old library, the unversioned function raises an error that is not an NVMLError.
    processes = one(nvml.nvmlDeviceGetComputeRunningProcesses_v3)
    performance = one(nvml.nvmlDeviceGetPerformanceState)
    c2c = called(nvml, "nvmlDeviceGetC2cModeInfoV", handle)
    return GpuState(
        uuid=uuid,
        index=index,
        name=text(one(nvml.nvmlDeviceGetName) or ""),
        sm_mhz=one(nvml.nvmlDeviceGetClockInfo, sm),
        sm_mhz_max=one(nvml.nvmlDeviceGetMaxClockInfo, sm),
        sm_mhz_set=one(nvml.nvmlDeviceGetApplicationsClock, sm),
        memory_mhz=one(nvml.nvmlDeviceGetClockInfo, memory),
        memory_mhz_max=one(nvml.nvmlDeviceGetMaxClockInfo, memory),
        performance=performance if performance in range(16) else None,  # 32 means "unknown"
        reasons=reasons,
        held_ns=held(),
        temperature=one(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        memory_temperature=_memory_temperature(nvml, one),
        power=watts(nvml.nvmlDeviceGetPowerUsage),
        power_limit=watts(nvml.nvmlDeviceGetPowerManagementLimit),
        power_default=watts(nvml.nvmlDeviceGetPowerManagementDefaultLimit),
        ecc=mode(nvml.nvmlDeviceGetEccMode),
        ecc_errors=one(
            nvml.nvmlDeviceGetTotalEccErrors,
            nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            nvml.NVML_VOLATILE_ECC,
        ),
        mig=mode(nvml.nvmlDeviceGetMigMode),
        persistence=mode(nvml.nvmlDeviceGetPersistenceMode),
        link_generation=one(nvml.nvmlDeviceGetCurrPcieLinkGeneration),
        link_generation_max=one(nvml.nvmlDeviceGetMaxPcieLinkGeneration),
        link_width=one(nvml.nvmlDeviceGetCurrPcieLinkWidth),
        link_width_max=one(nvml.nvmlDeviceGetMaxPcieLinkWidth),
        processes=None
        if processes is None
        else tuple(
            process.pid for process in processes if process.pid
        ),  # 0 means no process (Jetson)
        bus_bits=one(nvml.nvmlDeviceGetMemoryBusWidth),
        confidential=computes_confidentially(nvml),
        node=_node(one(nvml.nvmlDeviceGetPciInfo), root),
        c2c=None if c2c is None else bool(c2c.isC2cEnabled),
        integrated=is_integrated(one(nvml.nvmlDeviceGetCudaComputeCapability)),
    )


def is_integrated(capability: tuple[int, int] | None) -> bool | None:
    """Whether a GPU with this compute capability is on one chip with the CPU; None if unknown."""
    return capability in _INTEGRATED if capability and capability[0] else None


def _memory_temperature(nvml: Any, one: Callable[..., Any]) -> int | None:
    """Temperature of the memory in degrees Celsius; None if the card has no such sensor."""
    found = one(nvml.nvmlDeviceGetFieldValues, [nvml.NVML_FI_DEV_MEMORY_TEMP])
    if found is None or found[0].nvmlReturn != nvml.NVML_SUCCESS:
        return None
    return int(found[0].value.uiVal) or None  # a card without a sensor reports 0


def computes_confidentially(nvml: Any) -> bool | None:
    """Whether confidential computing is on; None if unknown."""
    question = getattr(nvml, "nvmlSystemGetConfComputeState", None)
    state = ask(nvml, question, None) if question is not None else None
    return None if state is None else bool(state.ccFeature)


def _node(pci: Any, root: Path) -> int | None:
    """The NUMA node of a PCI device; None if the device is not visible, as in some containers."""
    if pci is None:
        return None
    address = text(pci.busId).lower()  # NVML writes 00000000:3B:00.0, but sysfs writes 0000:3b:00.0
    domain, _, rest = address.partition(":")
    return integer(read(root / f"sys/bus/pci/devices/{domain[-4:]}:{rest}/numa_node"))
