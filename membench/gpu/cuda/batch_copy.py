"""The driver's batch copy, ``cuMemcpyBatchAsync``: many copies in one call.

CuPy does not wrap this function. The function has two signatures (cuda.h of CUDA 12.8 and 13.0)::

    12.8  cuMemcpyBatchAsync     (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, failIdx, s)
    13.0  cuMemcpyBatchAsync_v2  (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, s)

``cuGetProcAddress`` returns the function for a requested CUDA version. A driver older than CUDA
12.8 has neither function.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from membench.core.errors import BackendUnavailable, MembenchError
from membench.gpu.cuda.driver import LIBRARY, explainer, open_driver

Addresses = npt.NDArray[np.uint64]

SYMBOL = b"cuMemcpyBatchAsync"
VERSIONS = (13000, 12080)
"""CUDA versions whose signatures the module looks up, newest first (1000 * major + 10 * minor)."""

WITHOUT_FAIL_INDEX = 13000
"""First CUDA version whose signature has no ``failIdx``."""

_FOUND = 0  # CU_GET_PROC_ADDRESS_SUCCESS
_PREFER_OVERLAP = 1  # CU_MEMCPY_FLAG_PREFER_OVERLAP_WITH_COMPUTE

ORDERS = {"stream": 1, "any": 3}
"""Values of CUmemcpySrcAccessOrder, by the time when the copy may read its sources.

``stream``: in the order of the stream. ``any``: at any time, even before earlier work in the
stream, so that no work in the stream may write the sources.
"""


class Location(ctypes.Structure):
    """The driver's ``CUmemLocation``, a hint that is ignored for memory from CUDA's allocators."""

    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class Attributes(ctypes.Structure):
    """The driver's ``CUmemcpyAttributes``: options for the copies of a batch."""

    _fields_ = (
        ("srcAccessOrder", ctypes.c_int),
        ("srcLocHint", Location),
        ("dstLocHint", Location),
        ("flags", ctypes.c_uint),
    )


@dataclass(frozen=True)
class BatchCopy:
    """The driver's batch copy function.

    Attributes:
        version: CUDA version of the signature: 13000 or 12080.
    """

    version: int
    _function: Callable[..., int]
    _explain: Callable[[int], str]

    def prepare(
        self,
        targets: Addresses,
        sources: Addresses,
        sizes: npt.NDArray[np.uint64],
        order: str = "stream",
        *,
        overlap: bool = False,
    ) -> Callable[[int], None]:
        """Prepare the copies ``sources[i] -> targets[i]`` of ``sizes[i]`` bytes.

        Returns a function that takes the handle of a stream. Each call queues all copies into the
        stream. The driver may execute the copies in any order.

        Args:
            order: when the copy may read the sources, one of `ORDERS`.
            overlap: whether to ask the driver to copy without using SMs.

        Raises:
            ValueError: the arrays differ in length, or are empty.
        """
        count = len(targets)
        if not count or not count == len(sources) == len(sizes):
            raise ValueError(
                "a batch needs at least one copy, and as many targets and sizes as sources"
            )
        kept = tuple(
            np.ascontiguousarray(array, dtype=np.uint64) for array in (targets, sources, sizes)
        )
        attributes = Attributes(
            srcAccessOrder=ORDERS[order], flags=_PREFER_OVERLAP if overlap else 0
        )
        first = ctypes.c_size_t(0)  # the set of attributes applies from copy 0 on
        failed = ctypes.c_size_t(0)
        pointers = tuple(ctypes.c_void_p(array.ctypes.data) for array in kept)
        where = () if self.version >= WITHOUT_FAIL_INDEX else (ctypes.byref(failed),)

        def run(stream: int) -> None:
            status = self._function(
                *pointers,
                ctypes.c_size_t(count),
                ctypes.byref(attributes),
                ctypes.byref(first),
                ctypes.c_size_t(1),
                *where,
                ctypes.c_void_p(stream),
            )
            if status:
                # The driver sets SIZE_MAX if no single copy caused the failure.
                which = f" (copy {failed.value})" if where and failed.value < kept[0].size else ""
                raise MembenchError(f"the batch copy failed{which}: {self._explain(status)}")

        return run


def find_batch_copy(library: str = LIBRARY) -> BatchCopy:
    """Find the batch copy in the driver's ``library``.

    Raises:
        BackendUnavailable: there is no driver, or the driver is older than CUDA 12.8.
    """
    driver = open_driver(library)
    for version in VERSIONS:
        address = _look_up(driver, version)
        if address:
            return BatchCopy(version, _prototype(version)(address), explainer(driver))
    raise BackendUnavailable(
        "the driver has no batch copy (cuMemcpyBatchAsync)",
        "install a driver for CUDA 12.8 or newer",
    )


def _look_up(driver: Any, version: int) -> int:
    """Address of the function with the signature of ``version``; 0 if the driver has none."""
    ask = getattr(driver, "cuGetProcAddress_v2", None)
    if ask is None:  # a driver before CUDA 12.0
        return 0
    found, status = ctypes.c_void_p(), ctypes.c_int(-1)
    ask.restype = ctypes.c_int
    failed = ask(
        ctypes.c_char_p(SYMBOL),
        ctypes.byref(found),
        ctypes.c_int(version),
        ctypes.c_uint64(0),
        ctypes.byref(status),
    )
    return 0 if failed or status.value != _FOUND else found.value or 0


def _prototype(version: int) -> Any:
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    fail_index = () if version >= WITHOUT_FAIL_INDEX else (pointer,)
    #                               dsts     srcs     sizes    count attrs    indices  how many
    return ctypes.CFUNCTYPE(
        ctypes.c_int, pointer, pointer, pointer, size, pointer, pointer, size, *fail_index, pointer
    )
