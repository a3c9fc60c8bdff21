"""Memory limits the timed loops, not the issue of instructions.

An SM issues at most four warp instructions per cycle, one per partition. A loop of n instructions
that moves b bytes per thread moves at most 4 x 32 x b / n bytes per cycle and SM. This bound must
be well above the bandwidth of the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from machine_code import Code, count, loops, machine_code, main_loop

pytestmark = pytest.mark.sampled(4)

PARTITIONS, WARP = 4, 32
ROOM = 2.0
"""Required ratio of the issue bound to the bandwidth.

Arithmetic and waits also take issue slots.
"""

CLOCK = 1.7e9
"""Clock in Hz, below the boost clock of both GPUs. A lower clock requires more bytes per cycle."""

# Bytes per cycle and SM: bandwidths of H200 and B200 from NVIDIA's data sheets.
HBM = {"90": 4.8e12 / 132 / CLOCK, "100": 7.7e12 / 148 / CLOCK}
L2 = {"90": 64.0, "100": 64.0}  # bytes per cycle, at the port of an SM
# Bytes per cycle: 32 banks of 4 bytes; L1 has the same bandwidth.
BANKS = {"90": 128.0, "100": 128.0}


@dataclass(frozen=True)
class Loop:
    """A timed loop.

    Attributes:
        opcode: prefix of the most frequent opcode of the loop.
        room: required ratio of the issue bound to ``limit``, which is in bytes per cycle and SM.
        whole: whether to take the outer loop around ``opcode``, which also processes the data.
    """

    file: str
    entry: str
    opcode: str
    limit: dict[str, float]
    options: tuple[str, ...] = ()
    room: float = ROOM
    whole: bool = False

    def __str__(self) -> str:
        return " ".join((self.entry, *self.options))

    def body(self, arch: str) -> Code:
        code = machine_code(self.file, self.options, arch)[self.entry]
        if self.whole:
            return max((body for body in loops(code) if count(body, self.opcode)), key=len)
        return main_loop(code, self.opcode)

    def bound(self, arch: str) -> float:
        """The issue bound in bytes per cycle and SM."""
        kinds = ("LDS", "STS") if self.file == "shared.cu" else ("LDG.", "STG.", "LDGSTS")
        body = self.body(arch)
        moved = sum(each.width(*kinds) for each in body)
        return PARTITIONS * WARP * moved / len(body)


STREAMS = [
    Loop("stream.cu", f"stream_{name}", "STG" if name == "write" else "LDG.E.128", HBM)
    for name in ("read", "write", "copy", "scale", "add", "triad", "nstream")
]
LOOPS = [
    *STREAMS,
    Loop("gather.cu", "gather_read", "LDG.E.128", HBM),
    Loop("async.cu", "async_ld", "LDG.E.128", HBM, whole=True),
    Loop("async.cu", "async_cp", "LDGSTS", HBM, whole=True),
    Loop("loaded.cu", "loaded_generate", "LDG.E.128", HBM),
    Loop("kv.cu", "kv_move", "LDG.E.128", HBM),
    *(
        Loop("attention.cu", "attention_read", "HMMA", HBM, (f"-DGROUP={group}", f"-DFP8={fp8}"))
        for group in (4, 8)
        for fp8 in (0, 1)
    ),
    Loop("cache.cu", "cache_read", "LDG.E.128", L2),
    Loop("cache.cu", "cache_write", "STG.E.128", L2),
    Loop("cache.cu", "cache_read", "LDG.E.128", BANKS, ('-DHINT=""',), room=1.5),
    *(
        Loop("shared.cu", f"shared_{name}", pattern, BANKS, (f"-DWIDTH={width}",), room=1.5)
        for width, bits in ((4, ""), (8, ".64"), (16, ".128"))
        for name, pattern in (("read", f"LDS{bits}"), ("write", f"STS{bits}"))
    ),
]


@pytest.mark.parametrize("arch", ["90", "100"])
@pytest.mark.parametrize("loop", LOOPS, ids=str)
def test_issue_leaves_room_for_the_memory(loop: Loop, arch: str) -> None:
    assert loop.bound(arch) >= loop.room * loop.limit[arch]


def test_a_loop_with_too_much_arithmetic_is_found() -> None:
    """A checking kernel computes every word, so instruction issue limits its speed."""
    check = Loop("loaded.cu", "loaded_check", "LDG.E.128", HBM)
    assert check.bound("90") < ROOM * HBM["90"]
