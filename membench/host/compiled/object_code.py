"""The machine code of a kernel, and the file that stores it. LLVM loads the code without Numba."""

from __future__ import annotations

import ctypes
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from membench.core.cache_dir import read_sealed, write_sealed

ENTRY = "membench_kernel"
"""Name of the function that each object file exports."""

SUFFIX = ".kernel"

_C_TYPES: dict[str, Any] = {
    "i8": ctypes.c_int8,
    "i64": ctypes.c_int64,
    "double": ctypes.c_double,
    "ptr": ctypes.c_void_p,
}


@dataclass(frozen=True)
class ObjectCode:
    """A compiled kernel.

    Attributes:
        arguments: LLVM types of the arguments of the machine code.
        arrays: for each argument of the kernel, ``dtype:dimensions`` for an array, ``""`` for a
            number. An array is several arguments of the machine code.
        code: an object file with the function `ENTRY`.
    """

    arguments: tuple[str, ...]
    arrays: tuple[str, ...]
    code: bytes

    def load(self) -> Callable[..., int]:
        """Load the code into this process.

        The returned function runs without the interpreter lock. It raises `TypeError` for a wrong
        number of arguments, and if an array has another dtype or number of dimensions, or is not
        contiguous. An integer that does not fit its type wraps around.
        """
        import llvmlite.binding as llvm

        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), host_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(self.code))
        engine.finalize_object()
        _ENGINES.append(engine)
        types = [_C_TYPES[kind] for kind in self.arguments]
        address = engine.get_function_address(ENTRY)
        native: Callable[..., int] = ctypes.CFUNCTYPE(ctypes.c_int64, *types)(address)
        plain, count = not any(self.arrays), len(self.arrays)

        def run(*values: Any) -> int:
            if len(values) != count:  # ctypes accepts too many arguments
                raise TypeError(f"a kernel takes {count} arguments, not {len(values)}")
            if plain:
                return native(*values)
            spread: list[Any] = []
            for value, array in zip(values, self.arrays, strict=True):
                spread += _of_array(value, array) if array else [value]
            return native(*spread)

        return run


_ENGINES: list[Any] = []  # an engine frees its code when it is collected


def _of_array(value: Any, array: str) -> list[Any]:
    """The fields of the array ``value`` in Numba's order (``numba.core.types.Array``)."""
    if f"{value.dtype}:{value.ndim}" != array or not value.flags.c_contiguous:
        raise TypeError(
            f"a kernel needs a contiguous array {array}, not {value.dtype}:{value.ndim}"
        )
    fields = [None, None, value.size, value.itemsize, value.ctypes.data]
    return [*fields, *value.shape, *value.strides]


@cache
def host_machine() -> Any:
    """LLVM's target machine for this machine's CPU."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def write_object(path: Path, compiled: ObjectCode) -> None:
    """Write ``compiled`` to ``path``, completely or not at all; ignore errors."""
    head = json.dumps([compiled.arguments, compiled.arrays]).encode() + b"\n"
    write_sealed(path, head + compiled.code)


def read_object(path: Path) -> ObjectCode | None:
    """The compiled kernel in ``path``; None if the file is missing, unreadable or damaged."""
    content = read_sealed(path)
    if content is None:
        return None
    head, _, code = content.partition(b"\n")
    try:
        arguments, arrays = json.loads(head)
    except ValueError:
        return None
    return ObjectCode(tuple(arguments), tuple(arrays), code)


def discard_damaged(directory: Path) -> list[Path]:
    """Remove damaged files of compiled kernels from ``directory``. Returns the removed paths.

    A directory with the name of such a file is removed too, because a file cannot replace it.
    """
    removed = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        if read_object(path) is None:
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(path)
    return removed
