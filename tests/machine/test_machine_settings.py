"""Kernel settings from recorded trees, and the limit of locked memory of this process."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.machine.settings import read_settings

Plant = Callable[[Mapping[str, str]], Path]
CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"


@pytest.mark.parametrize(
    ("tree", "boost"),
    [
        ({f"{CPU}/intel_pstate/no_turbo": "0\n"}, True),
        ({f"{CPU}/intel_pstate/no_turbo": "1\n", f"{CPU}/cpufreq/boost": "1\n"}, False),
        ({f"{CPU}/cpufreq/boost": "1\n"}, True),
        ({f"{CPU}/cpufreq/boost": "0\n"}, False),
        ({f"{CPU}/cpufreq/boost": "maybe\n"}, None),
        ({}, None),
    ],
)
def test_boost(plant: Plant, tree: dict[str, str], boost: bool | None) -> None:
    assert read_settings(plant(tree)).boost is boost


def test_what_the_kernel_says(plant: Plant) -> None:
    tree = {
        f"{CLOCK}/current_clocksource": "hpet\n",
        f"{CLOCK}/available_clocksource": "tsc hpet acpi_pm \n",
        "proc/sys/kernel/numa_balancing": "2\n",
        "proc/sys/fs/aio-nr": "17\n",
        "proc/sys/fs/aio-max-nr": "65536\n",
    }
    found = read_settings(plant(tree))
    assert (found.clock, found.clocks) == ("hpet", ("tsc", "hpet", "acpi_pm"))
    assert found.numa_balancing is True
    assert (found.aio_used, found.aio_limit) == (17, 65536)


def test_what_it_does_not_say(plant: Plant) -> None:
    found = read_settings(plant({}))
    assert (found.clock, found.clocks, found.numa_balancing) == ("", (), None)
    assert (found.aio_used, found.aio_limit) == (None, None)


@pytest.mark.parametrize(
    ("limit", "locked"), [(65536, 65536), (resource.RLIM_INFINITY, None)], ids=["64KiB", "none"]
)
def test_locked_memory(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, limit: int, locked: int | None
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert read_settings(plant({})).locked == locked
