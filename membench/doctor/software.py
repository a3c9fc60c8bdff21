"""Checks of the Linux version and of Numba, the compiler for host kernels."""

from __future__ import annotations

import re

from membench.core.installing import install
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

CACHESTAT = (6, 5)
"""First Linux version with the system call cachestat(2)."""


def kernel(facts: Facts) -> Finding:
    """Show the Linux version, and whether membench must use mincore(2) instead of cachestat(2).

    Both calls find the cached pages of a file. The better call, cachestat(2), exists since Linux
    `CACHESTAT`.
    """
    release = facts.machine.kernel
    number = re.match(r"(\d{1,4})\.(\d{1,4})", release)
    if number is None:
        return fine("kernel", UNKNOWN)
    older = (int(number[1]), int(number[2])) < CACHESTAT
    reason = " (membench uses mincore, because cachestat needs Linux 6.5)"
    return fine("kernel", f"Linux {release}" + reason * older)


def compiler(facts: Facts) -> Finding:
    """Fail if Numba is missing; warn if the user forbids compiled kernels.

    Without compiled kernels, membench cannot measure latencies and cache bandwidths.
    """
    if facts.kernels.engine == "numpy":
        return warn(
            "numba", "MEMBENCH_ENGINE=numpy forbids compiled kernels", "unset MEMBENCH_ENGINE"
        )
    if facts.kernels.numba:
        version = facts.machine.packages.get("numba", "")
        return fine("numba", f"installed {version}".strip())
    return fail(
        "numba",
        "not installed: membench cannot measure latencies of the CPU and bandwidths of its caches",
        install("numba"),
    )


def kernel_cache(facts: Facts) -> Finding:
    """Warn if membench cannot cache compiled kernels, because every run then compiles again."""
    problem = facts.kernels.cache_problem
    if not problem:
        return fine("kernel-cache", "writable")
    return warn(
        "kernel-cache",
        f"{problem}: every run compiles the kernels again",
        facts.kernels.cache_remedy,
    )


CHECKS = (kernel, compiler, kernel_cache)
