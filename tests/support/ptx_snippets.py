"""Run small pieces of PTX and CUDA C++ on the emulator, for the emulator's own tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from emulator import Counts, Loaded, Machine, execute, upload

from membench.gpu.cuda.compile import Image, compile_text

Array = npt.NDArray[Any]

_FRAME = """
.version 9.0
.target sm_90
.address_size 64
.visible .entry snippet({parameters})
{{
    .reg .pred p, q, r;
    .reg .b16 h0, h1, h2, h3;
    .reg .b32 t0, t1, t2, t3, lane;
    .reg .b64 u0, u1, u2, u3, at;
{registers}
    mov.u32 lane, %tid.x;
{loads}
{code}
    ld.param.u64 at, [out];
    mad.wide.u32 at, lane, {width}, at;
    st.global.{store} [at], d;
    ret;
}}
"""
_RAW = {1: "b8", 2: "b16", 4: "b32", 8: "b64"}
_REGISTER = {1: "b16", 2: "b16", 4: "b32", 8: "b64"}


def evaluate(code: str, result: npt.DTypeLike, **inputs: Array) -> Array:
    """Run the PTX ``code`` on each lane, and return register ``d`` of all lanes.

    ``code`` may read registers with the names of the inputs. Registers ``t0`` to ``t3`` (32 bits),
    ``u0`` to ``u3`` (64), ``h0`` to ``h3`` (16) and the predicates ``p``, ``q`` and ``r`` are free.
    ``lane`` is the number of the thread.
    """
    count = max((array.size for array in inputs.values()), default=32)
    size = np.dtype(result).itemsize
    registers = [f"    .reg .{_REGISTER[size]} d;"]
    loads = []
    for name, array in inputs.items():
        width = array.dtype.itemsize
        registers.append(f"    .reg .{_REGISTER[width]} {name};")
        loads += [
            f"    ld.param.u64 at, [in_{name}];",
            f"    mad.wide.u32 at, lane, {width}, at;",
            f"    ld.global.{_RAW[width]} {name}, [at];",
        ]
    ptx = _FRAME.format(
        parameters=", ".join(f".param .u64 {p}" for p in [*(f"in_{n}" for n in inputs), "out"]),
        registers="\n".join(registers),
        loads="\n".join(loads),
        code=code,
        width=size,
        store=_RAW[size],
    )
    machine = Machine()
    buffers = [upload(machine, array) for array in inputs.values()]
    out = upload(machine, np.zeros(count, result))
    execute(machine, Loaded(machine, ptx), "snippet", 1, count, [*buffers, out])
    values: Array = out.array.copy().view(result)
    return values


@cache
def compiled(text: str, arch: str = "90") -> Image:
    """Compile CUDA C++. Each text is compiled only once per process."""
    return compile_text("snippet.cu", text, (), arch)


class Run:
    """One launch of a CUDA source, with fresh memory.

    Args:
        inputs: an array becomes a buffer, a NumPy scalar is passed by value, and an int n becomes
            an unwritten buffer of n bytes.

    Attributes:
        counts: counts of the launch.
    """

    def __init__(
        self,
        text: str,
        inputs: Sequence[Any],
        *,
        grid: int = 1,
        block: int = 32,
        shared: int = 0,
        cluster: int = 0,
        arch: str = "90",
        entry: str = "k",
        machine: Machine | None = None,
        fuel: int = 200_000,
    ) -> None:
        machine = machine or Machine()
        self.buffers: list[Any] = []
        arguments = []
        for value in inputs:
            if isinstance(value, np.generic):
                arguments.append(value)
                continue
            if isinstance(value, int):
                made: Any = machine.memory.allocate(value)
            else:
                made = upload(machine, value)
            self.buffers.append(made)
            arguments.append(made)
        module = Loaded(machine, compiled(text, arch).ptx)
        launch = execute(
            machine,
            module,
            entry,
            grid,
            block,
            arguments,
            shared=shared,
            cluster=cluster,
            fuel=fuel,
        )
        self.counts: Counts = launch.counts

    def result(self, index: int, dtype: npt.DTypeLike) -> Array:
        """The contents of the ``index``-th buffer."""
        values: Array = self.buffers[index].array.copy().view(dtype)
        return values
