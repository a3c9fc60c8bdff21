"""Kernel sources with inserted mistakes. A proof must detect each mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from membench.gpu.cuda.compile import Image, compile_source, compile_text
from membench.gpu.cuda.kernel_files import read_kernel


def edited(file: str, *edits: tuple[str, str]) -> str:
    """The text of ``file`` after edits (old text, new text).

    Edits may also change included headers, because the text of the headers is inserted.
    """
    source = read_kernel(file)
    if any(before not in source for before, _ in edits):
        source = _spelled_out(source)
    for before, after in edits:
        assert before in source, f"{file} has no {before!r}"
        source = source.replace(before, after)
    return source


def _spelled_out(source: str) -> str:
    seen: set[str] = set()

    def header(found: re.Match[str]) -> str:
        if found[1] in seen:
            return ""
        seen.add(found[1])
        text = read_kernel(found[1]).replace("#pragma once\n", "")
        return re.sub(r'#include "(.+)"', header, text)

    return re.sub(r'#include "(.+)"', header, source)


def mutant(
    file: str, before: str, after: str, *further: tuple[str, str]
) -> Callable[[str, tuple[str, ...], str], Image]:
    """A function that compiles ``file`` with ``before`` replaced by ``after``.

    Args:
        further: more edits (old text, new text).
    """
    source = edited(file, (before, after), *further)

    @cache  # each entry requests the variant again
    def compile_(name: str, options: tuple[str, ...], arch: str) -> Image:
        if name != file:
            return compile_source(name, options, arch)
        return compile_text(f"mutant_{file}", source, options, arch)

    return compile_
