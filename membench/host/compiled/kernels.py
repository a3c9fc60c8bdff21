"""Compiled kernels by name. A process compiles a kernel only if the cache does not have it."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from membench.core.cache_dir import NUMBA_CACHE_DIR, cache_base, cache_directory
from membench.core.kept import key_of, sources_key, version_of
from membench.host.compiled.object_code import SUFFIX, ObjectCode, read_object, write_object

if TYPE_CHECKING:
    from membench.host.compiled.jit import HostKernel

_HOST = Path(__file__).parents[1]  # the package `membench.host`
_COMPILING = Lock()
_DAY = 86400.0

UNUSED_DAYS = 30
"""Days without use after which compiled kernels of other sources are removed."""


class HostKernels:
    """The kernels that the module ``module`` declares with `membench.host.compiled.jit.kernel`.

    Each kernel is an attribute: a function that runs the machine code. The first access compiles
    the machine code or loads it from the cache. The first access must be on one thread, before
    several threads meet in the kernel's barrier.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name.startswith("__"):
            raise AttributeError(name)
        with _COMPILING:
            run = _loaded(self._module, name)
        setattr(self, name, run)
        return run


@cache
def _loaded(module: str, name: str) -> Callable[..., int]:
    return _object_code(module, name).load()


def _object_code(module: str, name: str) -> ObjectCode:
    directory = _cache()
    path = directory / f"{module}.{name}-{_sources_digest(module)}{SUFFIX}" if directory else None
    if path and (kept := read_object(path)):
        return kept
    kernel: HostKernel = getattr(importlib.import_module(module), name)
    compiled = kernel.object_code()
    if path:
        write_object(path, compiled)
    return compiled


def _cache() -> Path | None:
    """The directory for kernels of these sources; None if kernels cannot be cached.

    A call that creates the directory removes older directories that are no longer used.
    """
    base = cache_base(os.environ)
    new = base is not None and not (base / _digest()).is_dir()
    directory = cache_directory(_digest())
    if base is None or directory is None:
        return None
    if new:
        _remove_unused(base)
    elif time.time() - directory.stat().st_mtime > _DAY:
        with suppress(OSError):
            os.utime(directory)  # the time of its last use
    return directory


def _remove_unused(base: Path) -> None:
    """Remove the directories of kernels in ``base`` that no process used for `UNUSED_DAYS`.

    A directory that is empty, or that contains other files, is kept.
    """
    latest = time.time() - UNUSED_DAYS * _DAY
    with suppress(OSError):
        for place in list(base.iterdir()):
            with suppress(OSError):
                if place.is_symlink() or not place.is_dir() or place.stat().st_mtime > latest:
                    continue
                files = list(place.iterdir())
                if all(file.suffix == SUFFIX and file.is_file() for file in files) and files:
                    for file in files:
                        file.unlink()
                    place.rmdir()


@cache
def _digest() -> str:
    """16 hex digits: a digest of `membench.host`, the compilers, their settings, and the CPU."""
    import llvmlite.binding as llvm

    parts = [
        *map(version_of, ("membench", "numba", "llvmlite")),
        sys.version,
        str(llvm.llvm_version_info),
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        *_numba_settings(),
    ]
    return key_of(sources_key(_HOST), *parts)[:16]


def _numba_settings() -> Iterator[str]:
    """Numba's settings: variables such as ``NUMBA_OPT=0``, and the bytes of its file in hex."""
    for name, value in sorted(os.environ.items()):
        if name.startswith("NUMBA_") and name != NUMBA_CACHE_DIR:
            yield f"{name}={value}"
    with suppress(OSError):
        yield Path(".numba_config.yaml").read_bytes().hex()


@cache
def _sources_digest(module: str) -> str:
    """12 hex digits: a digest of the modules in the directory of ``module``."""
    found = find_spec(module)
    files = Path(found.origin).parent.glob("*.py") if found and found.origin else ()
    return sources_key(*sorted(files))[:12]
