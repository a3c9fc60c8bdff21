"""Prepares the kernel cache. Workers load only files that no other user could have written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from membench.core.cache_dir import cache_base, cache_problem, cache_remedy, private_cache
from membench.core.text import counted
from membench.host.compiled.object_code import discard_damaged
from membench.measure.events import Observer


@contextmanager
def kernel_cache(directory: Path, observer: Observer) -> Iterator[Mapping[str, str]]:
    """The environment variables that give workers a private cache of compiled code.

    The cache is in ``directory`` and exists only inside the block. The mapping is empty if workers
    can use the user's cache, or if other users can write to ``directory``.
    """
    base = cache_base(os.environ)
    if problem := cache_problem(os.environ):
        observer.warned(
            f"the kernel cache{f' {base}' if base else ''} cannot be used ({problem}): this run "
            "compiles the kernels again",
            cache_remedy(os.environ),
        )
        with private_cache(directory) as variables:
            yield variables
        return
    damaged: list[Path] = []
    if base is not None:
        # Nobody can load a kernel from a directory that cannot be read.
        with suppress(OSError):
            for kept in base.iterdir():
                damaged += discard_damaged(kept)
    if damaged:
        observer.warned(
            f"the kernel cache was damaged: membench removed {counted(len(damaged), 'file')}",
            "no action is needed: membench compiles these kernels again",
        )
    yield {}
