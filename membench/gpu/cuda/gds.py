"""GPUDirect Storage through KvikIO: reads from a file straight into device memory.

An extra (``gds``). Without the driver's part KvikIO works in compatibility mode, through host
memory, which the rows report. Its reads then go through the page cache unless that is turned off
before it opens the file; the residency in the rows shows what the cache served.
"""

from __future__ import annotations

import contextlib
from typing import Any

from membench.core.errors import MembenchError, skip
from membench.gpu.protocol import Buffer


class _Place:
    """Device memory in the form of ``__cuda_array_interface__``."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
            "version": 3,
        }


class GdsReader:
    """Reads pages of a file into a pool of device memory.

    Args:
        path: of the file.
        pool: device memory in which page ``slot`` begins at ``slot * block``.

    Raises:
        Skip: KvikIO is not installed, or cannot be used.
    """

    def __init__(self, path: str, pool: Buffer, block: int) -> None:
        try:
            import kvikio
            import kvikio.defaults
        except ImportError:
            skip("needs KvikIO: kvikio-cu13 beside cupy-cuda13x, kvikio-cu12 beside cupy-cuda12x")
        except Exception as error:
            skip(f"KvikIO cannot be used: {' '.join(str(error).split())}")
        # Releases before 25.12 have no such setting, and always read through the page cache then.
        with contextlib.suppress(Exception):
            kvikio.defaults.set({"auto_direct_io_read": True})
        try:
            self._file: Any = kvikio.CuFile(path, "r")
            self.mode = "compat" if kvikio.defaults.is_compat_mode_preferred() else "gds"
        except Exception as error:
            skip(f"KvikIO cannot open the scratch file: {' '.join(str(error).split())}")
        self._block = block
        self._places = [
            _Place(pool.address + at, block) for at in range(0, pool.size // block * block, block)
        ]

    def read(self, slot: int, offset: int) -> None:
        """Read the page at ``offset`` into place ``slot``; may be called from any thread.

        Raises:
            MembenchError: fewer bytes arrived than requested.
        """
        got = self._file.read(self._places[slot], self._block, offset)
        if got != self._block:
            raise MembenchError(f"a read of {self._block} bytes at {offset} moved {got}")

    def close(self) -> None:
        self._file.close()
