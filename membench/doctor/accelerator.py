"""Check whether membench can use the GPUs, and whether the GPUs run at full speed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from membench.core.installing import install
from membench.core.terms import FLAGS
from membench.core.text import counted
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn
from membench.machine.gpus.state import GpuState

_NVRTC = ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_BLACKWELL, _WIDE_LOADS = 10, (12, 9)
"""Major compute capability of Blackwell, and first NVRTC version with Blackwell's 256-bit loads."""

_STACK = re.compile(r"cupy(-cuda\d+x)?|nvidia-cuda-nvrtc(-cu\d+)?")


def gpu(facts: Facts) -> Finding:
    """Fail if a GPU is present but unusable; warn if a usable GPU has a problem."""
    gpus = facts.machine.gpus
    if gpus.problem:
        return fail("gpu", gpus.problem, gpus.remedy)
    seen = ", ".join(f"{one.index}: {one.name}" for one in gpus.devices)
    if gpus.faults:
        faults = "; ".join(f"{fault.where}: {fault.problem}" for fault in gpus.faults)
        remedies = "; ".join(dict.fromkeys(fault.remedy for fault in gpus.faults))
        told = warn if all(fault.shown for fault in gpus.faults) else fail
        return told("gpu", f"{faults} (GPUs: {seen or 'none'})", remedies)
    if not gpus.present:
        return fine("gpu", f"no GPU is visible, driver {gpus.driver}" if gpus.driver else "none")
    return fine("gpu", seen)


def stack(facts: Facts) -> Finding:
    """Show the versions of driver, CUDA, NVRTC and CuPy; fail if membench cannot use any GPU.

    Warn if NVRTC (the compiler of CUDA kernels) is too old for the 256-bit loads of the GPU.
    """
    gpus = facts.machine.gpus
    seen = [f"driver {gpus.driver or UNKNOWN}", f"CUDA up to {gpus.cuda or UNKNOWN}"]
    seen += [
        f"{name} {version}"
        for name, version in facts.machine.packages.items()
        if _STACK.fullmatch(name)
    ]
    if gpus.problem:
        return fail("gpu-software", f"{'; '.join(seen)}: {gpus.problem}", gpus.remedy)
    if _lacks_wide_loads(facts):
        return warn(
            "gpu-software",
            f"{'; '.join(seen)}: this NVRTC does not support the 256-bit loads of Blackwell",
            install("nvidia-cuda-nvrtc-cu12>=12.9"),
        )
    return fine("gpu-software", "; ".join(seen))


def _lacks_wide_loads(facts: Facts) -> bool:
    blackwell = any(
        int(one.compute_capability.partition(".")[0] or 0) >= _BLACKWELL
        for one in facts.machine.gpus.devices
    )
    found = (_VERSION.match(facts.machine.packages.get(name, "")) for name in _NVRTC)
    versions = [(int(one[1]), int(one[2])) for one in found if one]
    return blackwell and bool(versions) and max(versions) < _WIDE_LOADS


def peak(facts: Facts) -> Finding:
    """Show the peak bandwidth of each GPU, from the reported memory clock and bus width."""

    def told(one: GpuState) -> str:
        if one.peak_bandwidth is None:
            return UNKNOWN
        return f"{one.peak_bandwidth:.0f} GB/s ({one.memory_mhz_max} MHz, {one.bus_bits} bits)"

    return fine("gpu-peak", _each(facts.gpus, told))


def ecc(facts: Facts) -> Finding:
    """Show the ECC mode of each GPU; warn if a GPU has uncorrected memory errors."""

    def told(one: GpuState) -> str:
        errors = f", {counted(one.ecc_errors, 'uncorrected error')}" if one.ecc_errors else ""
        return _mode(one.ecc) + errors

    seen = _each(facts.gpus, told)
    broken = [one for one in facts.gpus if one.ecc_errors]
    if broken:
        return warn(
            "gpu-ecc",
            seen,
            "check the GPU before you trust the results: nvidia-smi -q -d ECC -i "
            f"{broken[0].index}",
        )
    return fine("gpu-ecc", seen)


def mig(facts: Facts) -> Finding:
    """Warn if a GPU is split by MIG: an instance has only a fraction of the GPU's bandwidth."""
    seen = _each(facts.gpus, lambda one: _mode(one.mig))
    split = [one for one in facts.gpus if one.mig]
    if not split:
        return fine("gpu-mig", seen)
    return warn(
        "gpu-mig",
        f"{seen}: membench can use only one MIG instance, so the results describe only this "
        "instance",
        f"to measure the whole GPU: sudo nvidia-smi -i {split[0].index} -mig 0",
    )


def power(facts: Facts) -> Finding:
    """Warn if a power limit is below the default, because the GPU then lowers its clocks."""

    def told(one: GpuState) -> str:
        if one.power_limit is None:
            return UNKNOWN
        default = one.power_default
        return f"{one.power_limit:.0f} W" + (f" of {default:.0f} W" if default else "")

    seen = _each(facts.gpus, told)
    low = [one for one in facts.gpus if (one.power_limit or 0) < (one.power_default or 0)]
    low = [one for one in low if one.power_limit is not None]
    if not low:
        return fine("gpu-power", seen)
    return warn(
        "gpu-power",
        f"{seen}: the power limit is below the default",
        f"sudo nvidia-smi -i {low[0].index} -pl {low[0].power_default:.0f}",
    )


def clocks(facts: Facts) -> Finding:
    """Warn if the application clock of a GPU is set below the maximum clock."""

    def told(one: GpuState) -> str:
        if one.sm_mhz_max is None:
            return UNKNOWN
        chosen = f", set to {one.sm_mhz_set} MHz" if _is_lowered(one) else ""
        return f"up to {one.sm_mhz_max} MHz{chosen}"

    seen = _each(facts.gpus, told)
    low = [one for one in facts.gpus if _is_lowered(one)]
    if not low:
        return fine("gpu-clocks", seen)
    return warn(
        "gpu-clocks",
        f"{seen}: the clock is set below the maximum",
        f"sudo nvidia-smi -i {low[0].index} -rac",
    )


def throttle(facts: Facts) -> Finding:
    """Warn if a GPU is throttled although membench does not use it yet."""
    seen = _each(facts.gpus, lambda one: ", ".join(one.slowdowns) or _nothing(one.reasons))
    if not any(one.slowdowns for one in facts.gpus):
        return fine("gpu-throttle", seen)
    return warn("gpu-throttle", seen, FLAGS["throttled"].remedy)


def persistence(facts: Facts) -> Finding:
    """Warn if persistence mode is off.

    The driver then initialises an idle GPU again for every process, and resets its counters.
    """
    seen = _each(facts.gpus, lambda one: _mode(one.persistence))
    if not any(one.persistence is False for one in facts.gpus):
        return fine("gpu-persistence", seen)
    return warn(
        "gpu-persistence",
        f"{seen}: the driver initialises an idle GPU again for each process",
        "sudo nvidia-smi -pm 1",
    )


def link(facts: Facts) -> Finding:
    """Warn if a PCIe link uses fewer lanes than possible.

    The check ignores the speed, because an idle link reduces its speed to save power.
    """

    def told(one: GpuState) -> str:
        if not one.fed_by_pcie:
            return "chip-to-chip" if one.c2c else "on the same chip as the CPU"
        if one.link_width is None:
            return UNKNOWN
        return (
            f"x{one.link_width} of x{one.link_width_max or '?'}, "
            f"maximum generation {one.link_generation_max or '?'}"
        )

    seen = _each(facts.gpus, told)
    on_pcie = [one for one in facts.gpus if one.fed_by_pcie]
    if not any((one.link_width or 99) < (one.link_width_max or 0) for one in on_pcie):
        return fine("gpu-link", seen)
    return warn(
        "gpu-link", f"{seen}: the link uses too few lanes", FLAGS["link-downtrained"].remedy
    )


def company(facts: Facts) -> Finding:
    """Warn if other processes compute on a GPU."""

    def told(one: GpuState) -> str:
        if one.processes is None:
            return UNKNOWN
        return ", ".join(f"process {pid}" for pid in one.processes) or "no other process"

    seen = _each(facts.gpus, told)
    if not any(one.processes for one in facts.gpus):
        return fine("gpu-company", seen)
    return warn("gpu-company", seen, FLAGS["busy-gpu"].remedy)


def answer(facts: Facts) -> Finding:
    """Warn if NVML does not answer, because membench then cannot detect throttling."""
    silent = facts.gpu_problem
    if not silent:
        return fine("nvml", "answers")
    return warn("nvml", silent, "run nvidia-smi for details")


def _is_lowered(one: GpuState) -> bool:
    # A value of 0 means that no application clock is set.
    return bool(one.sm_mhz_set) and (one.sm_mhz_set or 0) < (one.sm_mhz_max or 0)


def _each(gpus: Iterable[GpuState], told: Callable[[GpuState], str]) -> str:
    return "; ".join(f"{one.index}: {told(one)}" for one in gpus) or UNKNOWN


def _mode(on: bool | None) -> str:
    return UNKNOWN if on is None else "on" if on else "off"


def _nothing(reasons: int | None) -> str:
    return UNKNOWN if reasons is None else "not throttled"


CHECKS = (gpu,)

GPU_CHECKS = (
    stack,
    answer,
    peak,
    ecc,
    mig,
    power,
    clocks,
    throttle,
    persistence,
    link,
    company,
)
