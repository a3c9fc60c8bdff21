"""The functions of `policy_kernels`, compiled with Numba."""

from __future__ import annotations

from membench.host.compiled.jit import kernel
from membench.thesis.replay import policy_kernels

_ROW, _ROWS, _TIMES = "int64[::1]", "int64[:, ::1]", "float64[::1]"

lru = kernel(
    f"void({_ROW}, {_ROW}, {_TIMES}, {_ROW}, {_ROWS}, {_TIMES}, int64, float64, boolean, boolean, "
    f"boolean, {_ROW}, {_ROW})"
)(policy_kernels.lru)
s3fifo = kernel(f"void({_ROW}, {_ROW}, {_ROWS}, {_ROWS}, {_ROWS}, int64, {_ROW}, {_ROW})")(
    policy_kernels.s3fifo
)
optimal = kernel(f"void({_ROW}, {_ROW}, {_ROW}, {_ROW}, {_ROW}, {_ROW}, int64, {_ROW}, {_ROW})")(
    policy_kernels.optimal
)
