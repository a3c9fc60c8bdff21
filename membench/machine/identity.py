"""A machine's name for paths and tables: says what it is, not whose."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from membench.core.errors import UsageError
from membench.core.snapshot import Cpu, Gpus
from membench.machine.kernel_text import read

MAX_LENGTH = 40
_DIGITS = 6
_SALT = "membench.machine/1:"  # so that the digest leads to no other program's use of the id
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]*")
_RESERVED = frozenset({"reference"})  # results/reference holds runs that are not the user's

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
    """The telling part of a processor's or GPU's name, lower case: ``xeon-platinum-8480c``."""
    return slugify(_NOISE.sub(" ", model.lower()))


def machine_slug(cpu: Cpu, gpus: Gpus, root: Path = Path("/")) -> str:
    """``<device>-<6 hex>``: the first GPU, else the CPU and how many of it may be used.

    The digits tell two machines of one kind apart and are stable over boots.
    They are a salted digest, so they lead to no one.
    """
    if gpus.devices:
        name, count = device_name(gpus.devices[0].name) or "gpu", ""
    else:
        name, count = device_name(cpu.model) or slugify(cpu.architecture), f"-{cpu.usable}cpu"
    tail = f"{count}-{_digits(cpu, gpus, root)}"
    return f"{name[: MAX_LENGTH - len(tail)].rstrip('._-') or 'machine'}{tail}"


def check_label(text: str) -> str:
    """``text``, if it can stand in a path and in the `machine` column.

    Raises:
        UsageError: other characters, too long, or a name that membench uses itself.
    """
    if text in _RESERVED:
        raise UsageError(f"the label '{text}' is taken by membench itself", "choose another name")
    if _LABEL.fullmatch(text) and len(text) <= MAX_LENGTH:
        return text
    better = slugify(text)
    raise UsageError(
        f"{text!r} cannot be a label" if text else "the label is empty",
        f"use at most {MAX_LENGTH} of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        + (f", such as {better}" if better and better not in _RESERVED else ""),
    )


def _digits(cpu: Cpu, gpus: Gpus, root: Path) -> str:
    identity = read(root / "etc/machine-id").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", identity):  # absent, empty, or "uninitialized"
        identity = read(root / "sys/class/dmi/id/product_uuid").lower()
    if not identity:
        firmware = ("sys_vendor", "product_name", "board_name")
        facts = [read(root / f"sys/class/dmi/id/{name}") for name in firmware]
        facts += [cpu.model, cpu.architecture, str(len(cpu.cores))]
        facts += [gpu.uuid for gpu in gpus.devices]
        identity = "|".join(facts)
    return hashlib.sha256((_SALT + identity).encode()).hexdigest()[:_DIGITS]
