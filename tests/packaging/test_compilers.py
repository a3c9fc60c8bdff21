"""docs/compilers.md contains the machine code that the installed NVRTC generates."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from compilers_table import (
    ARCHITECTURES,
    DOCUMENT,
    HEADS,
    Looked,
    cell,
    looked,
    made,
    span,
    timed_loop,
)
from machine_code import Instruction, machine_code
from nvrtc_release import code_bytes

from membench.gpu.cuda.compile import compile_source, target
from membench.gpu.cuda.kernel_files import kernel_names

TEXT = DOCUMENT.read_text(encoding="ascii")


def table(head: str) -> list[dict[str, str]]:
    """The rows of the table that begins with ``head``, as mappings column name -> cell."""
    found = re.search("^" + re.escape(head) + r".*\n(\|.*\n)*", TEXT, re.MULTILINE)
    assert found, head
    names, _, *lines = (
        [each.strip() for each in line.strip("|").split("|")] for line in found[0].splitlines()
    )
    return [dict(zip(names, line, strict=True)) for line in lines]


ENTRIES = {line["entry"].strip("`"): line for line in table(HEADS[1])}
INSTALLED = version("nvidia-cuda-nvrtc")
"""The NVRTC release that `pyproject.toml` pins for the tests."""


def within(number: int, shown: str) -> bool:
    low, _, high = shown.strip().partition("-")
    return int(low) <= number <= int(high or low)


def test_the_installed_release_has_a_column() -> None:
    for head in HEADS:
        assert all(INSTALLED in line for line in table(head)), INSTALLED


@pytest.mark.sampled(5)
@pytest.mark.parametrize("arch", ["90", "120"])
@pytest.mark.parametrize("file", kernel_names())
def test_every_entry_is_as_documented(file: str, arch: str) -> None:
    resources = compile_source(file, (), arch).resources
    for entry, code in machine_code(file, (), arch).items():
        under_way, instructions = looked(code)
        shown = ENTRIES[entry][INSTALLED].split(";")
        for number, one in zip(
            (under_way, resources[entry].registers, instructions), shown, strict=True
        ):
            assert within(number, one), f"{entry}: run python ci/compilers.py"


def test_every_architecture_and_entry_is_in_a_table() -> None:
    assert [line["architecture"] for line in table(HEADS[0])] == list(ARCHITECTURES)
    whole = f"{len(kernel_names())} of {len(kernel_names())}"
    by_arch = {line["architecture"]: line for line in table(HEADS[0])}
    for arch in ("80", "86", "89", "90", "100", "120"):
        for release, shown in by_arch[target(arch)].items():
            assert release == "architecture" or shown == whole, (arch, release)


def test_machine_code_is_found_in_the_image() -> None:
    image = compile_source("stream.cu", (), "90")
    texts = code_bytes(image.cubin)
    assert texts.keys() == image.resources.keys()
    for entry, code in machine_code("stream.cu", (), "90").items():
        assert len(texts[entry]) >= 16 * len(code) > 0


# Tests of the table functions.


def test_a_cell_spans_all_architectures() -> None:
    assert span([4, 8, 6]) == "4-8"
    assert span([5, 5]) == "5"
    assert cell([Looked(4, 20, 32), Looked(4, 26, 40)]) == "4; 32-40; 20-26"
    assert cell([]) == "-"


def test_the_timed_loop_is_the_one_with_the_most_accesses() -> None:
    def loop(start: int, *opcodes: str) -> list[Instruction]:
        body = [
            Instruction(one, f"R{4 * n},desc[UR4][R2.64]", "", start + 16 * n)
            for n, one in enumerate(opcodes)
        ]
        end = start + 16 * len(body)
        return [*body, Instruction("BRA", hex(start), "@P0", end)]

    small, large = loop(0, "LDG.E.128"), loop(64, "LDG.E.128", "LDG.E.128", "STG.E.128")
    assert timed_loop([*small, *large]) == large
    assert looked([*small, *large]) == (2, 4)
    assert looked([Instruction("EXIT")]) == (0, 0)


def test_a_document_without_its_tables_is_refused() -> None:
    with pytest.raises(AssertionError, match="has lost its table"):
        made({}, "nothing")
