"""Kernels for the host: Python functions that Numba compiles and caches on disk.

Numba checks only the file of a kernel, not the files that the kernel depends on. So the name of the
cache directory contains a digest of all sources in `membench.host`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
from numba.core import config
from numba.np import linalg

from membench.core.cache_dir import cache_directory
from membench.host.compiled.cache_integrity import (
    compiling,
    discard_all,
    discard_damaged,
    record_digests,
)

_HERE = Path(__file__).parents[1]  # the package `membench.host`


def sources_digest() -> str:
    """Hex SHA-256 digest of all sources in the package `membench.host`."""
    digest = hashlib.sha256()
    for path in sorted(_HERE.rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_CACHE = cache_directory(sources_digest()[:16])
if _CACHE is not None:
    discard_damaged(_CACHE)
    setattr(config, "CACHE_DIR", str(_CACHE))  # noqa: B010 - the attribute exists only at run time


def _find_blas() -> None:
    """Raise `ImportError` if SciPy is not installed; replaces Numba's ``ensure_blas``.

    ``ensure_blas`` imports SciPy before the first kernel is loaded, which takes 0.2 s in each
    round. No kernel of membench uses linear algebra.
    """
    if find_spec("scipy") is None:
        raise ImportError("scipy is not installed")


if hasattr(linalg, "ensure_blas"):
    linalg.ensure_blas = _find_blas

_njit: Callable[..., Any] = numba.njit
_OPTIONS = {"nogil": True, "cache": _CACHE is not None, "error_model": "numpy"}


def helper(function: Callable[..., Any]) -> Any:
    """Declare a function that Numba compiles into the kernels that call it."""
    return _njit(**_OPTIONS)(function)


class CompiledFunction:
    """A compiled function that runs without the interpreter lock.

    Attributes:
        signature: types of the result and the arguments in Numba's notation. Addresses are int64.
    """

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.name = function.__name__
        self.signature = signature
        self.__doc__ = function.__doc__
        self._dispatcher: Any = _njit(**_OPTIONS)(function)

    @cached_property
    def entry(self) -> Callable[..., Any]:
        """The callable machine code, compiled or loaded from the cache at the first access.

        The first access must be on one thread, before several threads meet in the kernel's barrier.
        """
        if _CACHE is None:
            self._dispatcher.compile(self.signature)
        else:
            with compiling(_CACHE):
                self._compile_into(_CACHE)
        self._dispatcher.disable_compile()
        entry: Callable[..., Any] = self._dispatcher
        return entry

    def _compile_into(self, cache: Path) -> None:
        try:
            self._dispatcher.compile(self.signature)
        except Exception:
            # A truncated cache index can raise any error of pickle. If the kernel does not compile,
            # the second attempt raises the error again.
            discard_all(cache)
            self._dispatcher.compile(self.signature)
        if sum(self._dispatcher.stats.cache_misses.values()):
            record_digests(cache)

    def assembly(self) -> str:
        """The machine code as assembly text. Each call compiles the function again."""
        fresh = _njit(nogil=True, error_model="numpy")(self._dispatcher.py_func)
        fresh.compile(self.signature)
        return "\n".join(fresh.inspect_asm().values())


def kernel(signature: str) -> Callable[[Callable[..., Any]], CompiledFunction]:
    """A decorator for a kernel with Numba's ``signature``, such as ``int64(int64, int64)``."""

    def declare(function: Callable[..., Any]) -> CompiledFunction:
        return CompiledFunction(function, signature)

    return declare
