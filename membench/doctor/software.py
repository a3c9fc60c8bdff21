"""Checks of the kernel's age and of what compiles host kernels."""

from __future__ import annotations

import re

from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

NOWAIT = (4, 14)
"""First Linux whose buffered reads know RWF_NOWAIT: preadv2(2)."""

CACHESTAT = (6, 5)
"""First Linux with cachestat(2)."""


def kernel(facts: Facts) -> Finding:
    """Whether it can be proven that a file is not in the page cache."""
    release = facts.machine.kernel
    number = re.match(r"(\d{1,4})\.(\d{1,4})", release)
    if number is None:
        return fine("kernel", UNKNOWN)
    version = int(number[1]), int(number[2])
    if version < NOWAIT:
        return fail(
            "kernel",
            f"Linux {release}: it cannot be proven that a file is not in the page cache",
            "boot Linux 4.14 or newer (RWF_NOWAIT), best 6.5 (cachestat)",
        )
    if version < CACHESTAT:
        return warn(
            "kernel",
            f"Linux {release}: no cachestat, files are proven cold by RWF_NOWAIT",
            "boot Linux 6.5 or newer, where one is to be had",
        )
    return fine("kernel", f"Linux {release}")


def compiler(facts: Facts) -> Finding:
    """Without compiled kernels there is no latency and no bandwidth past the caches."""
    if facts.kernels.engine == "numpy":
        return warn(
            "numba", "MEMBENCH_ENGINE=numpy forbids compiled kernels", "unset MEMBENCH_ENGINE"
        )
    if facts.kernels.numba:
        version = facts.machine.packages.get("numba", "")
        return fine("numba", f"installed {version}".strip())
    return fail("numba", "not installed: latencies cannot be measured", "pip install numba")


def kernel_cache(facts: Facts) -> Finding:
    """Where compiled kernels cannot be kept, every round compiles them again."""
    problem = facts.kernels.cache_problem
    if not problem:
        return fine("kernel-cache", "can be written")
    return warn(
        "kernel-cache",
        f"{problem}: every round compiles anew",
        "name a directory of your own: export NUMBA_CACHE_DIR=DIR",
    )


CHECKS = (kernel, compiler, kernel_cache)
