"""The machine code of every kernel by NVRTC release, as shown in ``docs/compilers.md``.

``python ci/compilers.py FOLDER`` writes the tables.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streams_table
from machine_code import Code, code_of, flat_loops, loads_under_way
from nvrtc_release import Made, Release, code_bytes

from membench.gpu.cuda.compile import Image, resources_of
from membench.gpu.cuda.kernel_files import kernel_names
from membench.workloads.gpu_streams import LOADS

DOCUMENT = Path(__file__).parents[2] / "docs" / "compilers.md"
CAPABILITIES = (75, 80, 86, 87, 88, 89, 90, 100, 101, 103, 107, 110, 120, 121)
ARCHITECTURES = tuple(
    f"{one}{kind}"
    for one in CAPABILITIES
    for kind in ("", *(("a",) if one >= 90 else ()), *(("f",) if one >= 100 else ()))
)
"""All architectures from Turing on. ``a`` adds the features of one device, ``f`` the features of a
family.
"""

MEMORY = ("LDG", "STG", "LDS", "STS", "LD.", "ST.", "ATOM", "RED", "UBLKCP", "LDGMC", "HMMA")
"""Prefixes of the opcodes that a timed loop consists of."""

NOTHING = "-"

Survey = Mapping[str, Mapping[str, Any]]
""""File options architecture" -> entry -> properties of its machine code."""


@dataclass(frozen=True)
class Looked:
    """Properties of the machine code of one entry.

    Attributes:
        under_way: number of global loads in the timed loop that are issued before the first value
            is needed.
        instructions: number of instructions in that loop; 0 without a loop.
        registers: registers per thread.
    """

    under_way: int
    instructions: int
    registers: int


def timed_loop(code: Code) -> Code:
    """The innermost loop with the most memory accesses and matrix products."""

    def work(body: Code) -> int:
        return sum(each.opcode.startswith(MEMORY) for each in body)

    best = max(flat_loops(code), key=work, default=())
    return best if work(best) else ()


def looked(code: Code) -> tuple[int, int]:
    """Two numbers of the timed loop: global loads before the first use, and instructions."""
    body = timed_loop(code)
    width = max((each.width("LDG.") for each in body), default=0)
    return (loads_under_way(body, width) if width else 0), len(body)


def asked() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(file, options, architecture) of all surveyed compilations.

    These are every source without options, and every configuration of the stream kernels.
    """
    for file in kernel_names():
        for arch in ARCHITECTURES:
            yield file, (), arch
    for arch in streams_table.ARCHS:
        for of in streams_table.kernels(arch):
            yield of.file, of.options, arch


def survey(folder: Path, kept: Path) -> dict[str, dict[str, Any]]:
    """The properties of all surveyed compilations by the NVRTC release in ``folder``.

    Args:
        kept: cache file (hash of machine code -> properties) that `survey` reads and updates.
    """
    release = Release(folder)
    seen: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    found = {}
    for file, options, arch in asked():
        made = release.compile(file, options, arch)
        found[" ".join((file, *options, arch))] = _of(made, arch, seen)
    kept.write_text(json.dumps(seen))
    return found


def _of(made: Made, arch: str, seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if made.unknown:
        return {"": "unknown"}
    if not made.cubin or "warning" in made.log:
        (line, *_) = [one for one in made.log.splitlines() if re.search("error|warning", one)]
        return {"": line}
    texts = code_bytes(made.cubin)
    key = hashlib.sha256(arch[:2].encode())
    for name, text in sorted(texts.items()):
        key.update(name.encode() + text)
    if key.hexdigest() not in seen:  # the disassembler takes half a second
        code = code_of(Image(made.cubin, "", {}, "", ""))
        seen[key.hexdigest()] = {entry: looked(one) for entry, one in code.items()}
    shown = seen[key.hexdigest()]
    return {
        entry: [*shown[entry], each.registers] for entry, each in resources_of(made.log).items()
    }


def architectures(surveys: Mapping[str, Survey]) -> Iterator[str]:
    """The lines of the first table: how many sources each release compiles, by architecture."""
    for arch in ARCHITECTURES:
        cells = []
        for found in surveys.values():
            each = [found[f"{file} {arch}"].get("", "") for file in kernel_names()]
            known = [one for one in each if one != "unknown"]
            good = sum(not one for one in known)
            cells.append(f"{good} of {len(each)}" if known else NOTHING)
        yield f"| {arch} | {' | '.join(cells)} |"


def entries(surveys: Mapping[str, Survey]) -> Iterator[str]:
    """The lines of the second table: one per entry, with ranges over all architectures."""
    names = {
        (file, entry): None
        for found in surveys.values()
        for file in kernel_names()
        for arch in ARCHITECTURES
        for entry in found[f"{file} {arch}"]
        if entry
    }
    for file, entry in sorted(names):
        cells = (cell(of_entry(found, file, entry)) for found in surveys.values())
        yield f"| `{entry}` | {' | '.join(cells)} |"


def of_entry(found: Survey, file: str, entry: str) -> list[Looked]:
    """The properties of ``entry`` on each architecture, compiled without options."""
    each = (found[f"{file} {arch}"].get(entry) for arch in ARCHITECTURES)
    return [Looked(*one) for one in each if one]


def cell(shown: Sequence[Looked]) -> str:
    """One cell of the second table: the ranges of loads in flight, registers and instructions."""
    if not shown:
        return NOTHING
    kinds = [
        [one.under_way for one in shown],
        [one.registers for one in shown],
        [one.instructions for one in shown],
    ]
    return "; ".join(span(one) for one in kinds)


def span(numbers: Sequence[int]) -> str:
    """A range as text: ``4``, or ``4-8``."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}-{high}"


def streams(surveys: Mapping[str, Survey]) -> Iterator[str]:
    """The lines of the third table: configurations with fewer loads in flight than declared.

    Configurations that a release does not compile are left out.
    """
    for arch in streams_table.ARCHS:
        for of, operations in streams_table.kernels(arch).items():
            unroll = int(dict(of.defines)["UNROLL"])
            for operation in sorted(operations - {"write"}):
                cells = [
                    _stream(found[" ".join((of.file, *of.options, arch))], operation)
                    for found in surveys.values()
                ]
                whole = str(unroll * LOADS[operation])
                if any(one not in (whole, NOTHING) for one in cells):
                    name = " ".join(option.removeprefix("-D") for option in of.options)
                    yield f"| {operation}, {name} | {arch} | {whole} | {' | '.join(cells)} |"


def _stream(found: Mapping[str, Any], operation: str) -> str:
    if "" in found:
        return NOTHING
    return str(found[f"stream_{operation}"][0])


HEADS = ("| architecture |", "| entry |", "| configuration | architecture | declared |")


def made(surveys: Mapping[str, Survey], text: str) -> str:
    """``text`` with new tables, computed from ``surveys`` (release -> survey)."""
    for head, lines in zip(HEADS, (architectures, entries, streams), strict=True):
        names = f"{head} {' | '.join(surveys)} |"
        rule = "|" + " --- |" * (names.count("|") - 1)
        table = "\n".join((names, rule, *lines(surveys))) + "\n"
        found = re.findall("^" + re.escape(head) + r".*\n(?:\|.*\n)*", text, re.MULTILINE)
        assert len(found) == 1, f"docs/compilers.md has lost its table {head}"
        text = text.replace(found[0], table)
    return text
