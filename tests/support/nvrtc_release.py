"""Use one NVRTC release from an unpacked wheel, in addition to the installed release.

Each release needs a separate process, because releases of one major version have the same library
name.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membench.gpu.cuda.compile import OPTIONS, kernel_headers
from membench.gpu.cuda.kernel_files import read_kernel

_NO_SUCH_OPTION = 5  # NVRTC_ERROR_INVALID_OPTION: an unknown architecture


@dataclass(frozen=True)
class Made:
    """The result of one compilation. ``cubin`` is empty if the compilation failed.

    Attributes:
        unknown: whether the release does not know the architecture.
    """

    cubin: bytes
    log: str
    unknown: bool = False


class Release:
    """The NVRTC library found anywhere below a folder."""

    def __init__(self, folder: Path) -> None:
        (builtins,) = folder.rglob("libnvrtc-builtins.so.*")
        (library,) = folder.rglob("libnvrtc.so.*")
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(str(library))

    def compile(self, file: str, options: tuple[str, ...], arch: str) -> Made:
        """Compile ``file`` of ``kernels/`` for ``arch`` (``90a``), with membench's options."""
        program = ctypes.c_void_p()
        headers = kernel_headers()
        names, contents = _texts(headers), _texts(headers.values())
        self._call(
            "nvrtcCreateProgram",
            *(ctypes.byref(program), read_kernel(file).encode(), file.encode()),
            *(len(headers), contents, names),
        )
        try:
            given = _texts((f"-arch=sm_{arch}", *OPTIONS, *options))
            status = self._library.nvrtcCompileProgram(program, len(given), given)
            log = self._bytes(program, "nvrtcGetProgramLog").rstrip(b"\0").decode()
            if status:
                return Made(b"", log, unknown=status == _NO_SUCH_OPTION)
            return Made(self._bytes(program, "nvrtcGetCUBIN"), log)
        finally:
            self._call("nvrtcDestroyProgram", ctypes.byref(program))

    def _bytes(self, program: ctypes.c_void_p, function: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"{function}Size", program, ctypes.byref(size))
        data = ctypes.create_string_buffer(size.value)
        self._call(function, program, data)
        return data.raw

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._library, function)(*arguments)
        assert not status, f"{function} failed with nvrtcResult {status}"


def _texts(texts: Iterable[str]) -> Any:
    every = [one.encode() for one in texts]
    return (ctypes.c_char_p * len(every))(*every)


def code_bytes(cubin: bytes) -> dict[str, bytes]:
    """Entry -> its machine code, from the sections ``.text.ENTRY`` of an ELF file."""
    (offset,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names = struct.unpack_from("<HHH", cubin, 58)
    sections = [struct.unpack_from("<IIQQQQ", cubin, offset + n * size) for n in range(count)]
    strings = sections[names][4]
    found = {}
    for name, _, _, _, at, length in sections:
        text = cubin[strings + name : cubin.index(b"\0", strings + name)].decode()
        if text.startswith(".text."):
            found[text.removeprefix(".text.")] = cubin[at : at + length]
    return found
