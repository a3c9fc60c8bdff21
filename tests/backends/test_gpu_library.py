"""The calls to cublasLt, with a library double that records the calls."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from membench.core.errors import BackendUnavailable, MembenchError
from membench.gpu.cuda import cublaslt
from membench.gpu.cuda.cublaslt import SCALES, WORKSPACE_BYTES, CublasLt
from membench.gpu.verify.content import random_numbers, values


class Library:
    """Return success for every call, and numbered handles."""

    def __init__(self, failing: str = "", algorithms: int = 1) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._failing = failing
        self._algorithms = algorithms

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            self.calls.append((name, arguments))
            if name == "cublasLtMatmulAlgoGetHeuristic":
                arguments[-1]._obj.value = self._algorithms
            return 7 if name == self._failing else 0

        return call


def test_a_product_is_transposed_and_has_a_workspace() -> None:
    library = Library()
    once = CublasLt(library).product("fp8", (256, 128, 64), (0x1000, 0x2000, 0x3000), 0x9000, 0x77)
    names = [name for name, _ in library.calls]
    assert names.count("cublasLtMatrixLayoutCreate") == 3
    assert "cublasLtMatmul" not in names  # the multiplication is prepared, but not run
    layouts = [
        tuple(one.value if hasattr(one, "value") else one for one in arguments[1:])
        for name, arguments in library.calls
        if name == "cublasLtMatrixLayoutCreate"
    ]
    # Inputs: two E4M3 matrices with columns of k. Result: single precision, columns of m.
    assert layouts == [(28, 64, 256, 64), (28, 64, 128, 64), (0, 256, 128, 256)]
    ((_, attribute),) = [c for c in library.calls if c[0] == "cublasLtMatmulDescSetAttribute"]
    assert attribute[1] == 3
    assert attribute[2]._obj.value == 1  # w is used transposed
    once()
    name, arguments = library.calls[-1]
    assert name == "cublasLtMatmul"
    assert [arguments[n].value for n in (3, 5, 8, 10, 13, 14, 15)] == [
        *(0x1000, 0x2000, 0x3000, 0x3000, 0x9000, WORKSPACE_BYTES, 0x77)
    ]


@pytest.mark.parametrize(
    ("asked", "attributes"),
    [
        ({"kind": "fp8", "fast": True}, [(25, 1, 1)]),
        (
            {"kind": "mxfp8", "scales": (0x70, 0x80)},
            [(31, 2, 4), (32, 2, 4), (17, 0x70, 8), (18, 0x80, 8)],
        ),
        (
            {"kind": "nvfp4", "scales": (0x70, 0x80)},
            [(31, 1, 4), (32, 1, 4), (17, 0x70, 8), (18, 0x80, 8)],
        ),
    ],
    ids=["fast accumulation", "MXFP8", "NVFP4"],
)
def test_what_is_wished_of_a_product_is_set(
    asked: dict[str, Any], attributes: list[tuple[int, int, int]]
) -> None:
    library = Library()
    kind = asked.pop("kind")
    CublasLt(library).product(kind, (256, 128, 64), (1, 2, 3), 4, 5, "bf16", **asked)
    found = [call[1] for call in library.calls if call[0] == "cublasLtMatmulDescSetAttribute"]
    told = [(one[1], one[2]._obj.value, one[3].value) for one in found]
    assert told == [(3, 1, 4), *attributes]  # (attribute, value, size in bytes)
    layouts = [call[1][1] for call in library.calls if call[0] == "cublasLtMatrixLayoutCreate"]
    stored = 33 if kind == "nvfp4" else 28  # CUDA_R_4F_E2M1 or CUDA_R_8F_E4M3
    assert layouts == [stored, stored, 14]  # the result is in BF16


def test_scales_lie_in_tiles_of_128_rows_by_4() -> None:
    assert SCALES["mxfp8"].bytes_of(8192, 8192) == 8192 * 8192 // 32
    assert SCALES["mxfp8"].bytes_of(100, 64) == SCALES["nvfp4"].bytes_of(100, 64) == 128 * 4
    assert SCALES["nvfp4"].bytes_of(8192, 8192) == 8192 * 8192 // 16


def test_the_byte_that_is_one_is_one() -> None:
    assert 2.0 ** (SCALES["mxfp8"].one - 127) == 1  # UE8M0 has only an exponent
    assert values("fp8", np.full(1, SCALES["nvfp4"].one, np.uint8)).tolist() == [1]  # E4M3


def test_e2m1_is_what_the_format_says() -> None:
    """The expected values are from OCP Microscaling Formats 1.0, table 5 (FP4)."""
    codes = np.arange(16, dtype=np.uint8)
    packed = (codes[::2] | codes[1::2] << np.uint8(4)).astype(np.uint8)
    sizes = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    assert values("nvfp4", packed).tolist() == sizes + [-size for size in sizes]
    drawn = values("nvfp4", random_numbers("nvfp4", 4096, 1))
    assert set(drawn.tolist()) == {-1.5, -1, 1, 1.5}
    assert abs(float(drawn.mean())) < 0.1


def test_no_algorithm_is_a_reason_and_a_failure_is_an_error() -> None:
    shape, operands = (16, 16, 16), (1, 2, 3)
    with pytest.raises(BackendUnavailable, match="no FP8 product"):
        CublasLt(Library(algorithms=0)).product("fp8", shape, operands, 4, 5)
    failing = CublasLt(Library(failing="cublasLtMatmulAlgoGetHeuristic"))
    with pytest.raises(BackendUnavailable, match=r"no FP8 product .*7\)"):
        failing.product("fp8", shape, operands, 4, 5)
    with pytest.raises(MembenchError, match="cublasLtCreate failed"):
        CublasLt(Library(failing="cublasLtCreate"))


def test_the_heuristics_result_has_the_size_of_the_c_structure() -> None:
    assert ctypes.sizeof(cublaslt._Heuristic) == 96


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> Any:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(BackendUnavailable, match="cublasLt is not installed"):
        CublasLt()
