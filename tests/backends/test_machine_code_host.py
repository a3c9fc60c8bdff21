"""The machine code of the host kernels has the expected instructions."""

from __future__ import annotations

import platform
import re
from functools import cache

import pytest

from membench.host.compiled import instructions as host_ir
from membench.host.compiled.jit import HostKernel
from membench.host.compiled.pattern import STREAM_KERNELS
from membench.host.memory import chase_kernels as host_chase
from membench.host.memory import stream_kernels as host_streams

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 instructions")

VECTOR = r"[xyz]mm\d+"
LOAD = re.compile(
    rf"^\s+v?mov[au]p[sd]\s+[^%\n]*\(%|^\s+v?\w+\s+[^%\n]*\(%.*{VECTOR}$", re.MULTILINE
)
NONTEMPORAL = re.compile(r"^\s+v?movnt", re.MULTILINE)
STORE = re.compile(rf"^\s+v?mov(?:[au]p[sd]|dq[au]\w*)\s+%{VECTOR}, [^%\n]*\(%r", re.MULTILINE)
CALL = re.compile(r"^\s+call\w*\s+(\S+)", re.MULTILINE)


@cache
def assembly(kernel: HostKernel) -> str:
    """The assembly of the kernel itself, without the functions that it calls."""
    text = kernel.assembly()
    return text[: text.index(".Lfunc_end0")]


def stream(operation: str, stores: str) -> HostKernel:
    found: HostKernel = getattr(host_streams, STREAM_KERNELS[operation, stores])
    return found


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("operation", "stores"), STREAM_KERNELS)
def test_stores_are_what_the_case_says(operation: str, stores: str) -> None:
    text = assembly(stream(operation, stores))
    nontemporal = len(NONTEMPORAL.findall(text))
    plain = len(STORE.findall(text))
    lines = host_ir.UNROLL if operation == "copy" else 1
    whole = (lines, 2 * lines, 4 * lines)  # whole cache lines, in registers of 64, 32 or 16 bytes
    if stores == "nt":
        assert nontemporal in whole
        assert plain == 0
        assert "sfence" in text
    else:
        assert nontemporal == 0
        assert plain in ((0,) if operation == "read" else whole)


INPUTS = {"read": 1, "write": 0, "copy": 1, "scale": 1, "add": 2, "triad": 2}


@pytest.mark.parametrize(("operation", "stores"), STREAM_KERNELS)
def test_every_input_is_loaded_by_vectors(operation: str, stores: str) -> None:
    text = assembly(stream(operation, stores))
    assert len(LOAD.findall(text)) >= INPUTS[operation]


@pytest.mark.parametrize(("operation", "stores"), STREAM_KERNELS)
def test_a_loop_is_not_turned_into_a_call(operation: str, stores: str) -> None:
    text = assembly(stream(operation, stores))
    assert "memcpy" not in text
    assert "memset" not in text
    assert len(CALL.findall(text)) <= 4  # reads of the clock: enter, wait, start, leave
    assert "cvt" not in text  # no integer is converted to a float


def test_the_chase_is_dependent_loads_and_nothing_else() -> None:
    text = assembly(host_chase.chase)
    loads = [
        (match[1], match[2])
        for match in re.finditer(r"^\s+movq\s+\(%(\w+)\), %(\w+)$", text, re.MULTILINE)
    ]
    longest = run = 0
    for (base, _), (_, before) in zip(loads[1:], loads, strict=False):
        run = run + 1 if base == before else 0
        longest = max(longest, run)
    assert longest + 1 >= host_ir.CHASE_LOADS
    body = text[text.index("movq\t(%" + loads[0][0]) :]
    assert not re.search(r"cmov|sar[lq]|imul", body[: body.index("clock_gettime")].split("jne")[-1])


def _loops(text: str) -> list[str]:
    """The loop bodies: from a label to a jump back to the label."""
    found = []
    for match in re.finditer(r"^(\.L\w+):", text, re.MULTILINE):
        rest = text[match.end() :]
        back = re.search(rf"^\s+j\w+\s+{re.escape(match[1])}$", rest, re.MULTILINE)
        if back:
            found.append(rest[: back.end()])
    return found


def test_the_loop_of_the_chase_holds_no_check() -> None:
    loops = [body for body in _loops(assembly(host_chase.chase)) if body.count("movq\t(%") >= 32]
    assert loops
    inner = min(loops, key=len)
    instructions = re.findall(r"^\s+([a-z]\w*)", inner, re.MULTILINE)
    others = [name for name in instructions if name != "movq"]
    assert len(others) <= 4, others  # the loop counter and the jump back
    assert not any(name.startswith(("cmov", "call", "test")) and name != "testq" for name in others)


@pytest.mark.parametrize("chains", host_ir.CHAINS)
def test_chains_stay_in_registers(chains: int) -> None:
    loads = 8 * chains
    bodies = [
        body
        for body in _loops(assembly(host_chase.chains))
        if len(re.findall(r"^\s+movq\s+\(%\w+\), %\w+$", body, re.MULTILINE)) in (loads, 2 * loads)
    ]
    assert bodies
    inner = min(bodies, key=len)
    assert "(%rsp)" not in inner
    assert not re.search(r"movq\s+%\w+, -?\d*\(%", inner)
