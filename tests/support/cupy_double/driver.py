"""A double of ``cupy.cuda.driver``: functions on kernels. CuPy checks each call first."""

from __future__ import annotations

from types import SimpleNamespace

import cupy
from asking_gpu import H100
from emulator.occupancy import blocks_per_sm

from cupy_double.device import Double
from cupy_double.real import DriverFailure, ask

_REAL = cupy.cuda.driver
_INVALID_VALUE = 1  # CUresult
_CARVEOUT = 9  # CUfunction_attribute
_NON_PORTABLE_CLUSTER = 14  # CUfunction_attribute
_DYNAMIC = _REAL.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


def driver(double: Double) -> SimpleNamespace:
    """The double of the module ``cupy.cuda.driver``, with the state in ``double``."""

    def allow(function: int, attribute: int, value: int) -> None:
        ask(_REAL.funcSetAttribute, function, attribute, value)
        if attribute == _NON_PORTABLE_CLUSTER:
            double.non_portable.add(function)
            return
        if attribute == _CARVEOUT:
            double.carveouts[function] = value
            return
        assert attribute == _DYNAMIC
        if value > H100.shared_per_block - double.resources[function].shared_bytes:
            raise DriverFailure(_INVALID_VALUE)
        double.allowed[function] = value

    def occupancy(function: int, block: int, shared: int) -> int:
        ask(_REAL.occupancyMaxActiveBlocksPerMultiprocessor, function, block, shared)
        of = double.resources[function]
        shared += of.shared_bytes
        return blocks_per_sm(
            "90", block, of.registers, shared, H100.threads_per_sm, H100.shared_per_sm
        )

    return SimpleNamespace(
        CUDADriverError=DriverFailure,
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=_DYNAMIC,
        funcSetAttribute=allow,
        occupancyMaxActiveBlocksPerMultiprocessor=occupancy,
    )
