"""Declares kernels for the host, and compiles them with Numba to object files.

Importing Numba is slow, and every round is a new process. So only modules that declare kernels
import this module, and `membench.host.compiled.kernels` imports those modules only to compile a
kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba

from membench.host.compiled.object_code import ENTRY, ObjectCode, host_machine

# With NUMBA_DISABLE_JIT=1, Numba would return the Python functions, which cannot run.
setattr(numba.config, "DISABLE_JIT", 0)  # noqa: B010 - the attribute exists only at run time

_njit: Callable[..., Any] = numba.njit
_OPTIONS = {"nogil": True, "error_model": "numpy"}


def helper(function: Callable[..., Any]) -> Any:
    """Declare a function that kernels call. Numba compiles the function into each kernel."""
    return _njit(**_OPTIONS)(function)


class HostKernel:
    """A Python function that Numba can compile. The function must not raise exceptions.

    Attributes:
        name: name of the function.
        signature: types of the result (int64 or void) and the arguments in Numba's notation, such
            as ``int64(int64, int64)``. Addresses are int64.
    """

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.name = function.__name__
        self.signature = signature
        self._function = function

    def object_code(self) -> ObjectCode:
        """Compile the function for this machine's CPU."""
        dispatcher, types = self._compiled()
        native: str = dispatcher.overloads[types].fndesc.llvm_func_name
        module = llvm.parse_assembly(dispatcher.inspect_llvm(types))
        arguments = [str(one.type) for one in module.get_function(native).arguments][2:]
        module.link_in(llvm.parse_assembly(_entry(native, arguments)))
        module.verify()
        arrays = tuple(
            f"{one.dtype}:{one.ndim}" if isinstance(one, numba.types.Array) else "" for one in types
        )
        return ObjectCode(tuple(arguments), arrays, host_machine().emit_object(module))

    def llvm_code(self) -> str:
        """The optimised LLVM code of the function as text."""
        dispatcher, types = self._compiled()
        return str(dispatcher.inspect_llvm(types))

    def assembly(self) -> str:
        """The machine code of the function as assembly text."""
        dispatcher, types = self._compiled()
        return str(dispatcher.inspect_asm(types))

    def _compiled(self) -> tuple[Any, Any]:
        """Compile the function. Returns Numba's dispatcher and the types of the arguments."""
        # Numba's wrappers would call the interpreter, so an object file could not be loaded alone.
        without = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        dispatcher = _njit(**_OPTIONS, **without)(self._function)
        dispatcher.compile(self.signature)
        (types,) = dispatcher.signatures
        return dispatcher, types


def kernel(signature: str) -> Callable[[Callable[..., Any]], HostKernel]:
    """A decorator that makes a function a kernel; see `HostKernel.signature`."""

    def declare(function: Callable[..., Any]) -> HostKernel:
        return HostKernel(function, signature)

    return declare


def _entry(native: str, arguments: list[str]) -> str:
    """LLVM code of the function `ENTRY`, which calls Numba's function ``native``.

    Numba's functions store their result at the address in their first argument, and an exception at
    the address in their second argument. `ENTRY` has the calling convention of C, and returns the
    result as an int64. ``NRT_MemInfo_call_dtor``, with which Numba frees its arrays, does nothing,
    because the arrays of kernels belong to their callers.
    """
    named = [f"{kind} %a{index}" for index, kind in enumerate(arguments)]
    return f"""
declare i32 @"{native}"({", ".join(["ptr", "ptr", *arguments])})
define void @NRT_MemInfo_call_dtor(ptr %x) {{
  ret void
}}
define i64 @{ENTRY}({", ".join(named)}) {{
  %result = alloca i64
  %exception = alloca ptr
  %status = call i32 @"{native}"({", ".join(["ptr %result", "ptr %exception", *named])})
  %value = load i64, ptr %result
  ret i64 %value
}}
"""
