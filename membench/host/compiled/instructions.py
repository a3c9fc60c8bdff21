"""Instructions that Python cannot express, written with LLVM's builder.

Addresses and counts are int64, because Numba would convert a sum of uint64 and int64 to float. The
pointers are made from integers, so that LLVM cannot replace the loops with calls of memcpy or
memset.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic

from membench.host.compiled.pattern import SCALAR

intrinsic: Callable[[Callable[..., Any]], Any] = _intrinsic

Emit = Callable[[Any, Any, Sequence[Any]], Any]
"""``(context, builder, arguments) -> value``: a function that Numba calls to emit LLVM code."""

VECTOR_BYTES = 64  # one cache line; LLVM splits the vector if registers are narrower
UNROLL = 4
BLOCK_BYTES = VECTOR_BYTES * UNROLL
CHASE_LOADS = 32

_X86 = platform.machine() in ("x86_64", "AMD64")
_ARM = platform.machine() == "aarch64"
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_F64X8 = ir.VectorType(ir.DoubleType(), 8)
_I64X8 = ir.VectorType(_I64, 8)
_CONTRACT = ("contract",)  # LLVM may fuse a multiply and an add (FMA), as C compilers do

_types: Any = types
clock_gettime: Any = types.ExternalFunction(
    "clock_gettime", _types.int32(_types.int32, _types.int64)
)


def _pointer(builder: Any, address: Any, kind: Any, offset: int = 0) -> Any:
    if offset:
        address = builder.add(address, ir.Constant(_I64, offset))
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: Any, offset: int = 0) -> Any:
    value = builder.load(_pointer(builder, address, kind, offset))
    value.align = VECTOR_BYTES
    return value


def _store(builder: Any, value: Any, address: Any, nontemporal: bool) -> None:
    stored = builder.store(value, _pointer(builder, address, value.type))
    stored.align = VECTOR_BYTES
    if nontemporal:
        one = builder.module.add_metadata([ir.Constant(_I32, 1)])
        stored.set_metadata("nontemporal", one)


def _call(builder: Any, name: str, arguments: Sequence[Any] = ()) -> None:
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


# Memory that threads share.


@intrinsic
def atomic_add(typing: Any, address: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, amount = arguments
        builder.atomic_rmw("add", _pointer(builder, target, _I64), amount, "seq_cst")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def atomic_load(typing: Any, address: Any) -> Any:
    """The int64 at ``address``, read atomically and before all later accesses (acquire)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0], _I64), "acquire", 8)

    return types.int64(types.int64), emit


@intrinsic
def atomic_store(typing: Any, address: Any, value: Any) -> Any:
    """Write ``value`` atomically to the int64 at ``address``, after earlier accesses (release)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, value = arguments
        builder.store_atomic(value, _pointer(builder, target, _I64), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def load(typing: Any, address: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(builder, arguments[0], _I64))

    return types.int64(types.int64), emit


@intrinsic
def store(typing: Any, address: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, value = arguments
        builder.store(value, _pointer(builder, target, _I64))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def relax(typing: Any) -> Any:
    """Tell the processor that this is a spin loop, so that the core's other thread runs faster."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            _call(builder, "llvm.x86.sse2.pause")
        elif _ARM:
            _call(builder, "llvm.aarch64.hint", [ir.Constant(_I32, 1)])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def drain(typing: Any) -> Any:
    """Complete all earlier non-temporal stores, which are weakly ordered, before later stores."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            _call(builder, "llvm.x86.sse.sfence")
        else:
            builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


# One pass over arrays. All arrays are 64-byte aligned. Their size is a multiple of BLOCK_BYTES.

Value = Callable[[Any, Sequence[Any]], Any]
"""``(builder, loaded vectors) -> vector``: the value that a kernel stores."""


def _keep_rolled(builder: Any) -> None:
    """Prevent LLVM from unrolling the loop under construction."""
    # an empty instruction that LLVM may not move to other control flow
    nothing = ir.InlineAsm(ir.FunctionType(ir.VoidType(), []), "", "", side_effect=True)
    builder.call(nothing, [], attrs=("convergent",))


def _pass(value: Value, nontemporal: bool, unroll: int = 1) -> Emit:
    """A function that emits the code of one pass over arrays.

    The arguments of the code are ``(destination, source..., bytes)``. One turn of the loop accesses
    ``unroll`` vectors of each array.
    """

    def emit(context: Any, builder: Any, arguments: Sequence[Any]) -> Any:
        *arrays, count = arguments
        size = ir.Constant(_I64, unroll * VECTOR_BYTES)
        with cgutils.for_range(builder, builder.sdiv(count, size)) as loop:
            _keep_rolled(builder)
            offset = builder.mul(loop.index, size)
            for n in range(unroll):
                at = builder.add(offset, ir.Constant(_I64, n * VECTOR_BYTES))
                destination, *sources = (builder.add(base, at) for base in arrays)
                loaded = [_load(builder, source, _F64X8) for source in sources]
                _store(builder, value(builder, loaded), destination, nontemporal)
        return context.get_dummy_value()

    return emit


def _scalar() -> Any:
    return ir.Constant(_F64X8, [SCALAR] * 8)


def _copied(builder: Any, x: Sequence[Any]) -> Any:
    return x[0]


def _scaled(builder: Any, x: Sequence[Any]) -> Any:
    return builder.fmul(_scalar(), x[0])


def _added(builder: Any, x: Sequence[Any]) -> Any:
    return builder.fadd(x[0], x[1])


def _triad(builder: Any, x: Sequence[Any]) -> Any:
    product = builder.fmul(_scalar(), x[1], flags=_CONTRACT)
    return builder.fadd(x[0], product, flags=_CONTRACT)


def _constant(builder: Any, x: Sequence[Any]) -> Any:
    return _scalar()


def _poison(builder: Any, x: Sequence[Any]) -> Any:
    return ir.Constant(_F64X8, [math.nan] * 8)


def _define(inputs: int, value: Value, nontemporal: bool, unroll: int = 1) -> Any:
    body = _pass(value, nontemporal, unroll)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return body(context, builder, arguments)

    several = [types.int64] * (inputs + 2)
    if inputs == 0:

        def one(typing: Any, d: Any, count: Any) -> Any:
            return types.void(*several), emit

        return intrinsic(one)
    if inputs == 1:

        def two(typing: Any, d: Any, a: Any, count: Any) -> Any:
            return types.void(*several), emit

        return intrinsic(two)

    def three(typing: Any, d: Any, a: Any, b: Any, count: Any) -> Any:
        return types.void(*several), emit

    return intrinsic(three)


# Only copy is unrolled. With two sources, an unrolled loop is slower by 1 to 2 %, or by up to a
# third if the loads are grouped by array (tests/bench/test_streams_beside_c.py).
pass_write = _define(0, _constant, nontemporal=False)
pass_copy = _define(1, _copied, nontemporal=False, unroll=UNROLL)
pass_scale = _define(1, _scaled, nontemporal=False)
pass_add = _define(2, _added, nontemporal=False)
pass_triad = _define(2, _triad, nontemporal=False)
pass_write_nt = _define(0, _constant, nontemporal=True)
pass_copy_nt = _define(1, _copied, nontemporal=True, unroll=UNROLL)
pass_scale_nt = _define(1, _scaled, nontemporal=True)
pass_poison_nt = _define(0, _poison, nontemporal=True)
pass_add_nt = _define(2, _added, nontemporal=True)
pass_triad_nt = _define(2, _triad, nontemporal=True)


@intrinsic
def pass_read(typing: Any, a: Any, count: Any) -> Any:
    """Sum, modulo 2^64, of the int64 in ``count`` bytes at ``a``."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, count = arguments
        zero = ir.Constant(_I64X8, [0] * 8)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(UNROLL)]
        blocks = builder.sdiv(count, ir.Constant(_I64, BLOCK_BYTES))
        with cgutils.for_range(builder, blocks) as loop:
            at = builder.add(base, builder.mul(loop.index, ir.Constant(_I64, BLOCK_BYTES)))
            for n, total in enumerate(sums):
                vector = _load(builder, at, _I64X8, n * VECTOR_BYTES)
                builder.store(builder.add(builder.load(total), vector), total)
        vector = builder.load(sums[0])
        for total in sums[1:]:
            vector = builder.add(vector, builder.load(total))
        result = ir.Constant(_I64, 0)
        for lane in range(8):
            result = builder.add(result, builder.extract_element(vector, ir.Constant(_I32, lane)))
        return result

    return types.int64(types.int64, types.int64), emit


# Dependent loads.


@intrinsic
def hops(typing: Any, p: Any) -> Any:
    """Follow `CHASE_LOADS` pointers from ``p``, and return the last pointer."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = arguments[0]
        for _ in range(CHASE_LOADS):
            at = builder.load(_pointer(builder, at, _I64))
        return at

    return types.int64(types.int64), emit


def _chains(chains: int) -> Any:
    """A function ``(heads, steps)`` that follows ``chains`` pointer chains, ``steps`` loads each.

    ``steps`` is a multiple of 8. ``heads`` is the address of the chains' current pointers, which
    the function updates.
    """
    loads = 8

    # The pointers stay in registers, and the chains take turns. So ``chains`` loads are in flight.
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        heads, steps = arguments
        at = [
            cgutils.alloca_once_value(
                builder, builder.load(_pointer(builder, heads, _I64, 8 * chain))
            )
            for chain in range(chains)
        ]
        with cgutils.for_range(builder, builder.sdiv(steps, ir.Constant(_I64, loads))):
            now = [builder.load(slot) for slot in at]
            for _ in range(loads):
                now = [builder.load(_pointer(builder, one, _I64)) for one in now]
            for slot, one in zip(at, now, strict=True):
                builder.store(one, slot)
        for chain, slot in enumerate(at):
            builder.store(builder.load(slot), _pointer(builder, heads, _I64, 8 * chain))
        return context.get_dummy_value()

    def declare(typing: Any, heads: Any, steps: Any) -> Any:
        return types.void(types.int64, types.int64), emit

    return intrinsic(declare)


CHAINS = (1, 2, 4, 8, 12)  # the pointers of more chains do not fit in 16 registers
chains_1 = _chains(1)
chains_2 = _chains(2)
chains_4 = _chains(4)
chains_8 = _chains(8)
chains_12 = _chains(12)


@intrinsic
def gather_words(typing: Any, out: Any, table: Any, indices: Any, count: Any) -> Any:
    """out[i] = table[indices[i]] for ``count`` int64, without bounds checks.

    ``count`` is a multiple of 4.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, table, indices, count = arguments
        groups = builder.sdiv(count, ir.Constant(_I64, UNROLL))
        eight = ir.Constant(_I64, 8)
        with cgutils.for_range(builder, groups) as loop:
            offset = builder.mul(loop.index, ir.Constant(_I64, 8 * UNROLL))
            from_, to = builder.add(indices, offset), builder.add(out, offset)
            for n in range(UNROLL):
                index = builder.load(_pointer(builder, from_, _I64, 8 * n))
                word = builder.add(table, builder.mul(index, eight))
                value = builder.load(_pointer(builder, word, _I64))
                builder.store(value, _pointer(builder, to, _I64, 8 * n))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), emit
