"""Checks of the kernel's version and of the compiler for host kernels."""

from __future__ import annotations

import re

from membench.core.installing import install
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

CACHESTAT = (6, 5)
"""First Linux with cachestat(2)."""


def kernel(facts: Facts) -> Finding:
    """cachestat(2) shows whether a file is in the page cache; old kernels have only mincore(2)."""
    release = facts.machine.kernel
    number = re.match(r"(\d{1,4})\.(\d{1,4})", release)
    if number is None:
        return fine("kernel", UNKNOWN)
    older = (int(number[1]), int(number[2])) < CACHESTAT
    return fine(
        "kernel", f"Linux {release}" + (" (mincore checks whether files are cached)" * older)
    )


def compiler(facts: Facts) -> Finding:
    """Without compiled kernels, latencies and the bandwidths of caches cannot be measured."""
    if facts.kernels.engine == "numpy":
        return warn(
            "numba", "MEMBENCH_ENGINE=numpy forbids compiled kernels", "unset MEMBENCH_ENGINE"
        )
    if facts.kernels.numba:
        version = facts.machine.packages.get("numba", "")
        return fine("numba", f"installed {version}".strip())
    return fail("numba", "not installed: latencies cannot be measured", install("numba"))


def kernel_cache(facts: Facts) -> Finding:
    """If compiled kernels cannot be cached, every round compiles them again."""
    problem = facts.kernels.cache_problem
    if not problem:
        return fine("kernel-cache", "writable")
    return warn(
        "kernel-cache",
        f"{problem}: every round compiles the kernels again",
        "name a directory that only you can write to: export NUMBA_CACHE_DIR=DIR",
    )


CHECKS = (kernel, compiler, kernel_cache)
