"""The driver's batch copy, ``cuMemcpyBatchAsync``: many copies in one call.

CuPy does not wrap this function. There are two signatures (cuda.h of CUDA 12.8 and of 13.0)::

    12.8  cuMemcpyBatchAsync     (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, failIdx, s)
    13.0  cuMemcpyBatchAsync_v2  (dsts, srcs, sizes, count, attrs, attrsIdxs, numAttrs, s)

``cuGetProcAddress`` finds at run time which signatures a driver has: asked for version 13.0 it
returns the later one, for 12.8 the earlier one. An older driver has neither. The module needs only
ctypes, so tests can replace the driver by a stub library.
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
"""CUDA versions whose signatures are looked up, newest first."""

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
    """``CUmemLocation``: a hint that is ignored for memory that CUDA allocated."""

    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class Attributes(ctypes.Structure):
    """``CUmemcpyAttributes``: options for the copies of a batch."""

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

        Each call of the result queues all copies, in no particular order, into the stream whose
        handle it gets.

        Args:
            order: when the sources may be read, one of `ORDERS`.
            overlap: ask the driver to copy without using SMs.

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
        first = ctypes.c_size_t(0)  # a single set of attributes, valid from copy 0 on
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
                # The driver reports SIZE_MAX if the failure does not belong to a single copy.
                which = f" (copy {failed.value})" if where and failed.value < kept[0].size else ""
                raise MembenchError(f"the batch copy failed{which}: {self._explain(status)}")

        return run


def find_batch_copy(library: str = LIBRARY) -> BatchCopy:
    """Find the batch copy in the driver ``library``.

    Raises:
        BackendUnavailable: there is no driver, or it is older than CUDA 12.8.
    """
    driver = open_driver(library)
    for version in VERSIONS:
        address = _look_up(driver, version)
        if address:
            return BatchCopy(version, _prototype(version)(address), explainer(driver))
    raise BackendUnavailable(
        "the driver has no batch copy (cuMemcpyBatchAsync)",
        "drivers for CUDA 12.8 or newer have it",
    )


def _look_up(driver: Any, version: int) -> int:
    """The address of the function with the signature of ``version``; 0 if the driver lacks it."""
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
