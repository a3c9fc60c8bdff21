"""GPUDirect Storage through KvikIO: reads from a file directly into device memory.

If the kernel driver is missing, KvikIO works in compatibility mode and reads through host memory.
The rows report this mode, and the share of the data that came from the page cache.
"""

from __future__ import annotations

import contextlib
from typing import Any

from membench.core.errors import MembenchError, skip
from membench.gpu.protocol import Buffer


class _Place:
    """A range of device memory as an object with ``__cuda_array_interface__``."""

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
        pool: device memory. Page ``slot`` begins at byte ``slot * block`` of the pool.
        block: bytes per page.

    Raises:
        Skip: KvikIO is not installed, does not work on this machine, or cannot open the file.
    """

    def __init__(self, path: str, pool: Buffer, block: int) -> None:
        try:
            import kvikio
            import kvikio.defaults
        except ImportError:
            skip("needs KvikIO: kvikio-cu13 for cupy-cuda13x, kvikio-cu12 for cupy-cuda12x")
        except Exception as error:
            skip(f"KvikIO cannot be used: {' '.join(str(error).split())}")
        # In compatibility mode, KvikIO uses the page cache by default. KvikIO before 25.12 lacks
        # this setting.
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
        """Read the page at byte ``offset`` of the file into page ``slot`` of the pool.

        Any thread may call this method.

        Raises:
            MembenchError: fewer bytes arrived than requested.
        """
        got = self._file.read(self._places[slot], self._block, offset)
        if got != self._block:
            raise MembenchError(
                f"a read of {self._block} bytes at offset {offset} returned {got} bytes"
            )

    def close(self) -> None:
        self._file.close()
