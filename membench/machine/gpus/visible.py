"""The GPUs that CUDA will show to this process: CUDA_VISIBLE_DEVICES, parsed as CUDA does.

- CUDA keeps the order of the entries.
- The list ends at the first entry that matches no device.
- If two entries match the same device, the driver hides all devices.
- The driver reads the digits at the beginning of an entry as a number.

The first two rules are from the CUDA C++ Programming Guide, "CUDA Environment Variables", and the
others from the driver.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEADING_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")
_NONE = frozenset({"", "NoDevFiles", "none", "void"})


def visible(setting: str | None, uuids: Sequence[str], instances: Sequence[str] = ()) -> list[str]:
    """UUIDs of the visible devices, in the order of ``setting``; without it, of ``uuids``.

    Args:
        setting: value of CUDA_VISIBLE_DEVICES; None if it is not set.
        uuids: UUIDs of the GPUs, ``GPU-...``, by index.
        instances: UUIDs of MIG instances, ``MIG-...``. A process can use only one MIG instance.
    """
    if setting is None:
        return list(uuids)
    entries = [entry.strip() for entry in setting.split(",")]
    if entries[0].startswith("MIG-"):
        return _by_prefix(entries[:1], instances)
    if entries[0].startswith("GPU-"):
        return _by_prefix(entries, uuids)
    return _by_index(entries, uuids)


def hides_all(setting: str | None) -> bool:
    """Whether ``setting`` hides all GPUs on purpose, for example with an empty text."""
    if setting is None:
        return False
    first = setting.split(",")[0].strip()
    return first in _NONE or first.startswith("-")


def _by_prefix(entries: Sequence[str], uuids: Sequence[str]) -> list[str]:
    """Resolve entries to UUIDs; an abbreviated entry must match only one device."""
    chosen: list[str] = []
    for entry in entries:
        fitting = [uuid for uuid in uuids if entry and uuid.startswith(entry)]
        if entry in fitting:
            fitting = [entry]
        if len(fitting) != 1:
            break
        chosen.append(fitting[0])
    return _without_repetition(chosen)


def _by_index(entries: Sequence[str], uuids: Sequence[str]) -> list[str]:
    chosen: list[str] = []
    for entry in entries:
        match = _LEADING_NUMBER.match(entry)
        index = int(match[0]) if match else -1
        if not 0 <= index < len(uuids):
            break
        chosen.append(uuids[index])
    return _without_repetition(chosen)


def _without_repetition(chosen: list[str]) -> list[str]:
    return chosen if len(set(chosen)) == len(chosen) else []
