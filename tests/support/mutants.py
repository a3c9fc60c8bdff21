"""Compiling a CUDA source with one edit, to see that a proof catches it."""

from __future__ import annotations

from collections.abc import Callable

from membench.backends.compile import Image, compile_source, compile_text
from membench.kernel_files import read_kernel


def mutant(file: str, before: str, after: str) -> Callable[[str, tuple[str, ...], str], Image]:
    """A compiler for `EmulatedGpu` that makes one edit in ``file`` and none elsewhere."""
    source = read_kernel(file)
    assert before in source, f"{file} has no '{before}'"

    def compile_mutant(wanted: str, options: tuple[str, ...], arch: str) -> Image:
        if wanted != file:
            return compile_source(wanted, options, arch)
        return compile_text("mutant.cu", source.replace(before, after), options, arch)

    return compile_mutant
