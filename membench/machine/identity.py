"""The name of a machine in paths and tables; it describes the hardware, not the owner."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from membench.core.errors import UsageError
from membench.core.snapshot import Cpu, Gpus
from membench.machine.kernel_text import entries, present, read

MAX_LENGTH = 40
_DIGITS = 6
_ADMINISTERED = (
    2  # bit in the first byte of a network address that the manufacturer did not assign (IEEE 802)
)
_SALT = "membench.machine/1:"  # so that other programs make other digests of the same id
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]*")
_RESERVED = frozenset({"reference"})  # results/reference contains runs of other people's machines

_NOISE = re.compile(
    r"""
      \((?:r|tm|c)\)                        # trade marks
    | \s*@.*                                # clock rate
    | \bw(?:/|ith\ ).*graphics.*            # a GPU on the same chip
    | \b\d+(?:st|nd|rd|th)\ gen\b
    | \b(?:\d+|dual|quad|six|eight|twelve|sixteen)-core\b
    | \b(?:processor|cpu|nvidia|corporation|genuine)\b
    """,
    re.VERBOSE,
)


def slugify(text: str) -> str:
    """``text`` in the alphabet ``[a-z0-9._-]``, at most 40 characters, possibly empty."""
    slug = re.sub(r"[^a-z0-9._]+", "-", text.lower())
    return slug.lstrip("._-")[:MAX_LENGTH].rstrip("._-")


def device_name(model: str) -> str:
    """The distinctive words of a CPU's or GPU's name, such as ``intel-xeon-platinum-8480c``."""
    return slugify(_NOISE.sub(" ", model.lower()))


def machine_slug(cpu: Cpu, gpus: Gpus, root: Path = Path("/")) -> str:
    """The name ``<device>-<6 hex digits>``.

    ``<device>`` is the name of the first GPU. On a machine without GPUs, it is the CPU model and
    the number of usable CPUs.

    The digits come from a salted digest and identify no person. They stay the same after a reboot.
    They normally differ between machines of one model. They differ between clones of one image if
    an identity of the hardware can be read.
    """
    system, hardware = _system(cpu, gpus, root), _hardware(root)
    return _slug(cpu, gpus, f"{system}|{hardware}" if hardware else system)


def former_slugs(cpu: Cpu, gpus: Gpus, root: Path = Path("/")) -> tuple[str, ...]:
    """The names from earlier versions of membench that differ from this machine's present name."""
    former = _slug(cpu, gpus, _system(cpu, gpus, root))
    return () if former == machine_slug(cpu, gpus, root) else (former,)


def _slug(cpu: Cpu, gpus: Gpus, identity: str) -> str:
    if gpus.devices:
        name, count = device_name(gpus.devices[0].name) or "gpu", ""
    else:
        name, count = device_name(cpu.model) or slugify(cpu.architecture), f"-{cpu.usable}cpu"
    digits = hashlib.sha256((_SALT + identity).encode()).hexdigest()[:_DIGITS]
    tail = f"{count}-{digits}"
    return f"{name[: MAX_LENGTH - len(tail)].rstrip('._-') or 'machine'}{tail}"


def check_label(text: str) -> str:
    """Return ``text`` if it is allowed in a path and in the `machine` column.

    Raises:
        UsageError: ``text`` is empty, too long or reserved, or has forbidden characters.
    """
    if text in _RESERVED:
        raise UsageError(f"the label '{text}' is reserved by membench", "use another name")
    if _LABEL.fullmatch(text) and len(text) <= MAX_LENGTH:
        return text
    better = slugify(text)
    raise UsageError(
        f"{text!r} is not a valid label" if text else "the label is empty",
        f"use at most {MAX_LENGTH} characters of a-z, 0-9, '.', '_' and '-', beginning with a "
        "letter or digit" + (f", such as {better}" if better and better not in _RESERVED else ""),
    )


def _hardware(root: Path) -> str:
    """An identity of the hardware that differs between clones of one image; empty if unknown.

    The result is the first of these that is known:

    - The lowest permanent address of a built-in network card, if the manufacturer assigned it.
    - Three texts joined by ``|``: this address if it is locally administered, the lowest serial
      number of a disk, and the serial number of the board.
    - The UUID of the firmware.

    Sources: Documentation/ABI/testing/sysfs-class-net (``addr_assign_type``) and stable/sysfs-block
    (``serial``).
    """
    # Addresses that software set or chose at random, and those of cards on USB, may change.
    cards = [
        read(card / "address").lower()
        for card in entries(root / "sys/class/net")
        if present(card / "device")
        and read(card / "addr_assign_type") == "0"
        and "/usb" not in str(card.resolve())
    ]
    disks = [
        *(read(disk / "serial") for disk in entries(root / "sys/class/nvme")),
        *(read(disk / "serial") for disk in entries(root / "sys/block")),
    ]
    card = min((one for one in cards if re.fullmatch("[0-9a-f:]{17}", one)), default="")
    if not card.strip("0:"):
        card = ""
    elif not int(card[1], 16) & _ADMINISTERED:
        return card
    disk = min((one for one in disks if one), default="")
    facts = (card, disk, read(root / "proc/device-tree/serial-number"))
    return "|".join(facts) if any(facts) else read(root / "sys/class/dmi/id/product_uuid").lower()


def _system(cpu: Cpu, gpus: Gpus, root: Path) -> str:
    """An identity of the installed system; a reboot does not change it."""
    identity = read(root / "etc/machine-id").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", identity):  # the file is absent, empty, or "uninitialized"
        identity = read(root / "sys/class/dmi/id/product_uuid").lower()
    if not identity:
        firmware = ("sys_vendor", "product_name", "board_name")
        facts = [read(root / f"sys/class/dmi/id/{name}") for name in firmware]
        facts += [cpu.model, cpu.architecture, str(len(cpu.cores))]
        facts += [gpu.uuid for gpu in gpus.devices]
        identity = "|".join(facts)
    return identity
