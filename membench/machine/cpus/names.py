"""The processor's name. Only some architectures report it directly."""

from __future__ import annotations

from pathlib import Path

from membench.machine.cpus.arm import core_name
from membench.machine.kernel_text import fields, read

_GRACE_SOC = "jep106:036b:0241"
"""The chip T241 with NVIDIA's JEP-106 code: Grace. Other chips also have Neoverse-V2 cores."""


def cpu_name(cpuinfo: str, architecture: str, root: Path = Path("/")) -> str:
    """The processor's name; if unknown, a substitute such as the architecture. Never empty.

    Args:
        cpuinfo: text of /proc/cpuinfo.
        architecture: machine name from `os.uname`.
    """
    info = fields(cpuinfo)
    keys = ("model name", "Model Name", "cpu", "uarch")  # of x86, LoongArch, POWER, RISC-V
    stated = next((info[key] for key in keys if info.get(key)), "")
    candidates = (
        # checked before the model name, which is useless in a 32-bit process
        _arm_name(cpuinfo, root),
        "" if stated.lower() == "unknown" else stated,
        _x86_signature(info),
        read(root / "proc/device-tree/model"),
        read(root / "sys/class/dmi/id/product_name"),
    )
    return next((name for name in candidates if name), architecture)


def _arm_name(cpuinfo: str, root: Path) -> str:
    # The dict keeps the order and drops duplicates. Big and little cores have different numbers.
    parts: dict[str, None] = {}
    implementer: int | None = None
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "CPU implementer":
            implementer = _hexadecimal(value)
        elif key.strip() == "CPU part" and implementer is not None:
            part = _hexadecimal(value)
            name = "" if part is None else core_name(implementer, part)
            if name == "Arm Neoverse-V2" and read(root / "sys/devices/soc0/soc_id") == _GRACE_SOC:
                name = "NVIDIA Grace"
            parts[name] = None
    return " + ".join(name for name in parts if name)


def _x86_signature(info: dict[str, str]) -> str:
    vendor, family, model = (info.get(key, "") for key in ("vendor_id", "cpu family", "model"))
    return f"{vendor} family {family} model {model}" if vendor and family and model else ""


def _hexadecimal(text: str) -> int | None:
    try:
        number = int(text.strip(), 16)
    except ValueError:
        return None
    return number if 0 <= number < 1 << 32 else None
