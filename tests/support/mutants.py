"""Sources with one edit: what a proof is worth, it shows by not passing them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from membench.backends.compile import Image, compile_source, compile_text
from membench.kernel_files import read_kernel


def mutant(file: str, before: str, after: str) -> Callable[[str, tuple[str, ...], str], Image]:
    """A compiler that sees ``file`` with ``before`` replaced by ``after``, all else as it is."""
    source = read_kernel(file)
    assert before in source, f"{file} has no {before!r}"

    @cache  # a variant is asked for once an entry
    def compile_(name: str, options: tuple[str, ...], arch: str) -> Image:
        if name != file:
            return compile_source(name, options, arch)
        return compile_text(f"mutant_{file}", source.replace(before, after), options, arch)

    return compile_
