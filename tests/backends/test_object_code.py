"""Compiled kernels: what they call, their arguments, and their results beside Python's."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

import membench
from membench.host.compiled.jit import HostKernel, kernel
from membench.host.compiled.object_code import ObjectCode

ROOT = Path(membench.__file__).parents[1]
MODULES = (
    "membench.host.memory.chase_kernels",
    "membench.host.memory.stream_kernels",
    "membench.host.memory.traffic_kernels",
    "membench.host.storage.aio_loop",
    "membench.host.storage.touch_loop",
    "membench.thesis.replay.policy_loops",
)
ALLOWED = {"clock_gettime", "madvise", "syscall", "__errno_location"}  # functions of the C library
UNUSED = {"NRT_MemInfo_call_dtor"}  # frees arrays that Numba owns


def kernels() -> list[tuple[str, str]]:
    return [
        (module, name)
        for module in MODULES
        for name, found in vars(importlib.import_module(module)).items()
        if isinstance(found, HostKernel)
    ]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("module", "name"), kernels())
def test_a_kernel_calls_only_the_c_library_and_raises_nothing(module: str, name: str) -> None:
    text = getattr(importlib.import_module(module), name).llvm_code()
    declared = set(re.findall(r"^declare [^@]*@([\w.]+)", text, re.MULTILINE))
    assert {one for one in declared if not one.startswith("llvm.")} <= ALLOWED | UNUSED
    assert not re.findall(r"^@\S+ = external", text, re.MULTILINE)
    assert "numba_exception_output" not in text


def sources(module: str) -> set[Path]:
    """The files of membench from which ``module`` imports code or constants for its kernels."""
    found: set[Path] = set()
    todo = [module]
    while todo:
        path = ROOT / f"{todo.pop().replace('.', '/')}.py"
        if path in found or path == ROOT / "membench/host/compiled/jit.py":
            continue
        found.add(path)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("membench"):
                package = ROOT / f"{node.module}".replace(".", "/")
                todo += [
                    f"{node.module}.{alias.name}" if package.is_dir() else f"{node.module}"
                    for alias in node.names
                ]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_the_key_of_the_cache_covers_all_sources_of_a_kernel(module: str) -> None:
    host, own = ROOT / "membench" / "host", (ROOT / module.replace(".", "/")).parent
    assert len(sources(module)) > 1
    for path in sources(module):
        assert path.is_relative_to(host) or path.parent == own


def mixed(values: Any, rows: Any, scale: Any, negate: Any, out: Any) -> None:
    for i in range(values.size):
        total = values[i] + rows[i, 0] * scale + rows[i, 1]
        out[i] = -total if negate else total


@cache
def compiled() -> ObjectCode:
    signature = "void(int64[::1], int64[:, ::1], float64, boolean, float64[::1])"
    return kernel(signature)(mixed).object_code()


def difference(a: Any, b: Any) -> Any:
    return a - b


@cache
def numbers() -> ObjectCode:
    return kernel("int64(int64, int64)")(difference).object_code()


@settings(max_examples=examples(60))
@given(
    values=st.lists(st.integers(-1000, 1000), max_size=8),
    scale=st.integers(-8, 8),
    negate=st.booleans(),
)
def test_arrays_and_numbers_arrive_as_in_python(
    values: list[int], scale: int, negate: bool
) -> None:
    row = np.array(values, np.int64)
    rows = np.stack([row + 1, row - 1], axis=1)
    found, expected = np.zeros(row.size), np.zeros(row.size)
    compiled().load()(row, rows, float(scale), negate, found)
    mixed(row, rows, scale, negate, expected)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_arguments_is_refused(count: int) -> None:
    run = numbers().load()
    assert run(5, 3) == 2
    with pytest.raises(TypeError, match=f"a kernel takes 2 arguments, not {count}"):
        run(*range(count))
    with pytest.raises(TypeError, match=f"a kernel takes 5 arguments, not {count}"):
        compiled().load()(*range(count))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(4, np.int32), np.zeros((2, 2), np.int64), np.zeros(8, np.int64)[::2]],
    ids=["dtype", "dimensions", "stride"],
)
def test_an_array_of_another_kind_is_refused(wrong: Any) -> None:
    run = compiled().load()
    with pytest.raises(TypeError, match=r"a kernel needs a contiguous array int64:1"):
        run(wrong, np.zeros((4, 2), np.int64), 1.0, False, np.zeros(4))
