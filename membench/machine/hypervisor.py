"""Find out whether the machine is virtual, and under which hypervisor it runs."""

from __future__ import annotations

from pathlib import Path

from membench.machine.kernel_text import fields, read

_FIRMWARE = (
    ("firecracker", "firecracker"),
    ("fireck", "firecracker"),  # the OEM field of an ACPI table has six characters
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("vbox", "virtualbox"),
    ("parallels", "parallels"),
    ("apple virtualization", "apple"),
    ("google compute engine", "kvm"),
    ("amazon ec2", "kvm"),  # instances on Nitro; the firmware of older instances names Xen
    ("virtual machine", "hyperv"),
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("bochs", "kvm"),
    ("xen", "xen"),
)
"""Pairs of a word in the firmware's tables and the hypervisor that writes the word."""

_CLOCKS = (("kvm", "kvm"), ("hyperv", "hyperv"), ("xen", "xen"))


def read_hypervisor(cpuinfo: str, root: Path = Path("/")) -> str:
    """Name of the hypervisor; ``yes`` if the name is unknown; empty on bare metal.

    On x86, a processor flag shows that the machine is virtual. On other architectures, the
    result is empty if neither sysfs nor the firmware's tables name a known hypervisor.
    """
    if kind := read(root / "sys/hypervisor/type"):
        return kind
    names = [
        read(root / f"sys/class/dmi/id/{name}")
        for name in ("sys_vendor", "product_name", "bios_vendor")
    ]
    firmware = " ".join(names).lower()
    info = fields(cpuinfo)
    if "flags" in info:
        if "hypervisor" not in info["flags"].split():
            return ""
    elif ".metal" in firmware:
        return ""
    # Only root can read these files.
    oem = read(root / "sys/firmware/acpi/tables/DSDT")[:36].lower()
    for word, name in _FIRMWARE:
        if word in firmware or word in oem:
            return name
    if "flags" not in info:
        return "kvm" if "kvm" in read(root / "proc/device-tree/hypervisor/compatible") else ""
    clocks = read(root / "sys/devices/system/clocksource/clocksource0/available_clocksource")
    return next((name for word, name in _CLOCKS if word in clocks), "yes")
