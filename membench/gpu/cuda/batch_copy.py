"""The driver's batch copy, ``cuMemcpyBatchAsync``: many copies in one call.

CuPy does not wrap it.  There are two signatures (cuda.h of CUDA 12.8 and of 13.0)::

    12.8  cuMemcpyBatchAsync     (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, failIdx, s)
    13.0  cuMemcpyBatchAsync_v2  (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, s)

``cuGetProcAddress`` tells at run time which one a driver has: for version 13.0 it returns the later
one, for 12.8 the earlier one, and an older driver has neither. The module needs only ctypes, so a
stub library can test it.
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
"""CUDA versions whose signatures are looked up, the later one first."""

WITHOUT_FAIL_INDEX = 13000
"""First version without ``failIdx``."""

_FOUND = 0  # CU_GET_PROC_ADDRESS_SUCCESS
_PREFER_OVERLAP = 1  # CU_MEMCPY_FLAG_PREFER_OVERLAP_WITH_COMPUTE

ORDERS = {"stream": 1, "any": 3}
"""When the sources may be read (CUmemcpySrcAccessOrder).

``stream``: in the order of the stream.  ``any``: at any time, even before work that was queued
earlier, so nothing in the stream may still write them; suitable for host memory that does not
change.
"""


class Location(ctypes.Structure):
    """``CUmemLocation``: a hint; ignored for memory that CUDA allocated."""

    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class Attributes(ctypes.Structure):
    """``CUmemcpyAttributes``: how the copies of a batch may be done."""

    _fields_ = (
        ("srcAccessOrder", ctypes.c_int),
        ("srcLocHint", Location),
        ("dstLocHint", Location),
        ("flags", ctypes.c_uint),
    )


@dataclass(frozen=True)
class BatchCopy:
    """The entry point of this driver.

    Attributes:
        version: of the signature: 13000 or 12080.
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
        """The copies ``sources[i] -> targets[i]`` of ``sizes[i]`` bytes, prepared once.

        Each call of the result queues all of them into the stream of the given handle, in no
        particular order.

        Args:
            order: when the sources may be read, one of `ORDERS`.
            overlap: ask the driver for a way of copying that leaves the SMs to kernels.

        Raises:
            ValueError: the arrays differ in length, or are empty.
        """
        count = len(targets)
        if not count or not count == len(sources) == len(sizes):
            raise ValueError("a batch needs equally many targets, sources and sizes, at least one")
        kept = tuple(
            np.ascontiguousarray(array, dtype=np.uint64) for array in (targets, sources, sizes)
        )
        attributes = Attributes(
            srcAccessOrder=ORDERS[order], flags=_PREFER_OVERLAP if overlap else 0
        )
        first = ctypes.c_size_t(0)  # the one set of attributes holds from copy 0 on
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
                # SIZE_MAX is the driver's word for a failure that is of no one copy.
                which = f" (copy {failed.value})" if where and failed.value < kept[0].size else ""
                raise MembenchError(f"the batch copy failed{which}: {self._explain(status)}")

        return run


def find_batch_copy(library: str = LIBRARY) -> BatchCopy:
    """The batch copy of the driver ``library``.

    Raises:
        BackendUnavailable: there is no driver, or it is older than CUDA 12.8.
    """
    driver = open_driver(library)
    for version in VERSIONS:
        address = _look_up(driver, version)
        if address:
            return BatchCopy(version, _prototype(version)(address), explainer(driver))
    raise BackendUnavailable(
        "the driver has no batch copy (cuMemcpyBatchAsync)", "it came with CUDA 12.8"
    )


def _look_up(driver: Any, version: int) -> int:
    """The address of the symbol in ``version``; 0 if there is none."""
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
