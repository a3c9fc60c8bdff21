"""The processor's name, which only some architectures print."""

from __future__ import annotations

from pathlib import Path

from membench.machine.kernel_text import fields, read

_ARM = {
    (0x41, 0xD03): "Arm Cortex-A53",
    (0x41, 0xD05): "Arm Cortex-A55",
    (0x41, 0xD07): "Arm Cortex-A57",
    (0x41, 0xD08): "Arm Cortex-A72",
    (0x41, 0xD0B): "Arm Cortex-A76",
    (0x41, 0xD0C): "Arm Neoverse-N1",
    (0x41, 0xD40): "Arm Neoverse-V1",
    (0x41, 0xD41): "Arm Cortex-A78",
    (0x41, 0xD42): "Arm Cortex-A78AE",
    (0x41, 0xD49): "Arm Neoverse-N2",
    (0x41, 0xD4F): "Arm Neoverse-V2",
    (0x41, 0xD84): "Arm Neoverse-V3",
    (0x41, 0xD85): "Arm Cortex-X925",
    (0x41, 0xD87): "Arm Cortex-A725",
    (0x41, 0xD8E): "Arm Neoverse-N3",
    (0x46, 0x001): "Fujitsu A64FX",
    (0x48, 0xD01): "HiSilicon TaiShan-v110",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1a",
}
"""(CPU implementer, CPU part) -> name: the MIDR_EL1 values of arch/arm64/include/asm/cputype.h."""

_GRACE_SOC = "jep106:036b:0241"
"""NVIDIA's JEP-106 code and the chip T241: Grace, among all that use Neoverse-V2 cores."""


def cpu_name(cpuinfo: str, architecture: str, root: Path = Path("/")) -> str:
    """The processor's name, never empty: at worst the architecture.

    Args:
        cpuinfo: text of /proc/cpuinfo.
        architecture: as `os.uname` names it.
        root: where /proc and /sys are found.
    """
    info = fields(cpuinfo)
    stated = info.get("model name") or info.get("cpu", "")
    candidates = (
        _arm_name(cpuinfo, root),  # first: a 32-bit view prints a useless model name
        "" if stated.lower() == "unknown" else stated,
        _x86_signature(info),
        read(root / "proc/device-tree/model"),
        read(root / "sys/class/dmi/id/product_name"),
    )
    return next((name for name in candidates if name), architecture)


def _arm_name(cpuinfo: str, root: Path) -> str:
    parts: dict[str, None] = {}  # an ordered set: big and little cores have different parts
    implementer = 0
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "CPU implementer":
            implementer = _hexadecimal(value)
        elif key.strip() == "CPU part":
            name = _ARM.get((implementer, _hexadecimal(value)), "")
            if name == "Arm Neoverse-V2" and read(root / "sys/devices/soc0/soc_id") == _GRACE_SOC:
                name = "NVIDIA Grace"
            parts[name] = None
    return " + ".join(name for name in parts if name)


def _x86_signature(info: dict[str, str]) -> str:
    vendor, family, model = (info.get(key, "") for key in ("vendor_id", "cpu family", "model"))
    return f"{vendor} family {family} model {model}" if vendor and family and model else ""


def _hexadecimal(text: str) -> int:
    try:
        return int(text.strip(), 16)
    except ValueError:
        return 0
