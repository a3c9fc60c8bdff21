"""Matrices in the registers of a warp, compared lane by lane with the layout of the PTX ISA."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emulator import EmulationError, UnknownInstruction
from ptx_snippets import Array, evaluate

MMA = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
PRODUCT = """
    .reg .b32 e0, e1, e2, e3;
    {mma} {{e0, e1, e2, e3}}, {{a0, a1, a2, a3}}, {{b0, b1}}, {{c0, c1, c2, c3}};
    mov.b32 d, e{which};
"""
RANDOM = np.random.default_rng(11)


def pairs(matrix: Array, of_lane: list[list[tuple[int, int]]]) -> list[Array]:
    """Registers of 32 lanes. Each register packs two neighbouring elements of a fragment.

    Args:
        of_lane: for each lane, the (row, column) of its elements in the order of the fragment.
    """
    elements = np.array([[matrix[place] for place in lane] for lane in of_lane], np.float16)
    words = np.ascontiguousarray(elements).view(np.uint32)
    return [np.ascontiguousarray(words[:, i]) for i in range(words.shape[1])]


# The section "Matrix Fragments for mma.m16n8k16 with floating point type" of the PTX ISA.
def place_of_a(lane: int, i: int) -> tuple[int, int]:
    group, thread = lane >> 2, lane % 4
    row = group if 0 <= i < 2 or 4 <= i < 6 else group + 8
    return row, thread * 2 + (i & 1) + (8 if i >= 4 else 0)


def place_of_b(lane: int, i: int) -> tuple[int, int]:
    group, thread = lane >> 2, lane % 4
    return thread * 2 + (i & 1) + (8 if i >= 2 else 0), group


def place_of_c(lane: int, i: int) -> tuple[int, int]:
    group, thread = lane >> 2, lane % 4
    return (group if i < 2 else group + 8), thread * 2 + (i & 1)


def places(
    place: Callable[[int, int], tuple[int, int]], elements: int
) -> list[list[tuple[int, int]]]:
    return [[place(lane, i) for i in range(elements)] for lane in range(32)]


def test_a_product_is_that_of_the_fragments() -> None:
    a, b = (RANDOM.normal(size=shape).astype(np.float16) for shape in ((16, 16), (16, 8)))
    c = RANDOM.normal(size=(16, 8)).astype(np.float32)
    registers = {
        **dict(zip(("a0", "a1", "a2", "a3"), pairs(a, places(place_of_a, 8)), strict=True)),
        **dict(zip(("b0", "b1"), pairs(b, places(place_of_b, 4)), strict=True)),
        **{
            f"c{i}": np.array([c[place_of_c(lane, i)] for lane in range(32)], np.float32)
            for i in range(4)
        },
    }
    expected = a.astype(np.float64) @ b.astype(np.float64) + c
    for i in range(4):
        found = evaluate(PRODUCT.format(mma=MMA, which=i), np.float32, **registers)
        for lane in range(32):
            assert found[lane] == pytest.approx(expected[place_of_c(lane, i)], rel=1e-6)


def test_a_matrix_is_turned_over() -> None:
    """Row i of the matrix is in lanes 4i to 4i + 3. Each lane has two elements."""
    matrix = np.arange(64, dtype=np.uint16).reshape(8, 8)
    code = "    movmatrix.sync.aligned.m8n8.trans.b16 d, word;"
    found = evaluate(code, np.uint32, word=matrix.reshape(-1).view(np.uint32))
    assert np.array_equal(found.view(np.uint16).reshape(8, 8), matrix.T)


def test_all_threads_of_a_warp_must_be_there() -> None:
    word = np.arange(48, dtype=np.uint32)
    code = "    movmatrix.sync.aligned.m8n8.trans.b16 d, word;"
    with pytest.raises(EmulationError, match="not all 32 threads"):
        evaluate(code, np.uint32, word=word)
    parted = f"    mov.u32 d, 0;\n    setp.lt.u32 p, lane, 16;\n    @p bra DONE;\n{code}\nDONE:"
    with pytest.raises(EmulationError, match="not all 32 threads"):
        evaluate(parted, np.uint32, word=word[:32])


@pytest.mark.parametrize(
    "code",
    [
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {t0, t1, t2, t3}, {t0, t1}, {t0}, {t0};",
        "movmatrix.sync.aligned.m8n8.b16 d, t0;",
    ],
)
def test_another_form_is_refused(code: str) -> None:
    with pytest.raises(UnknownInstruction):
        evaluate(f"    mov.u32 d, 0;\n    {code}", np.uint32, word=np.arange(32, dtype=np.uint32))
