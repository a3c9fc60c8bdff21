"""The slow-down of GPU work by transfers over the link.

The work is the victim, and the transfers are the aggressor. First, each runs alone. Then both run
together in two queues. Each queue reads the GPU's global timer between its pieces. The slow-down is
the time of a victim's piece that runs entirely beside the aggressor, divided by the time of a
victim's piece alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from membench.core.axes import OMITTED, Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import MembenchError
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Detail, Observation, Observed, Timed, Work
from membench.gpu.units import LINE
from membench.workloads.decode_step import usual_attention
from membench.workloads.gpu_streams import DEFAULT, stream_work
from membench.workloads.kv_move import (
    MOST_GRID,
    Move,
    kernel_move,
    pool_blocks,
    require_grid,
    require_method,
)
from membench.workloads.link_copy import copies, host_fill

if TYPE_CHECKING:
    from membench.gpu.link_protocol import Event
    from membench.gpu.protocol import Buffer, Gpu, Stream

STREAM_BYTES = GIB

CHUNK = 16 * MIB
"""Bytes of one copy of the aggressor."""

KV_BLOCK = 64 * KIB
PIECES = 10
"""Number of the victim's pieces, during all of which the aggressor should run."""

MOST_CHUNKS = 400
GATHER_BLOCK = 4 * KIB
GATHER_BYTES = 256 * MIB
RING = 256 * MIB
TURNS = 512

_SALT = 97


@dataclass(frozen=True)
class Aggressor:
    """Copies over the link that disturb the victim.

    Attributes:
        piece: function that queues one copy of `CHUNK` bytes.
        facts: entries for the `detail` of the rows.
    """

    piece: Callable[[Stream | None], None]
    verify: Callable[[], None]
    facts: Detail


def _read(gpu: Gpu) -> Timed:
    return stream_work(gpu, "read", STREAM_BYTES, DEFAULT)


def _chase(gpu: Gpu) -> Timed:
    from membench.gpu.verify.walk import LOADS, Walker

    walker = Walker(gpu, gpu.allocate(RING), RING // LINE, "plain")

    def run(iterations: int) -> None:
        for _ in range(iterations):
            walker.queue(TURNS)

    def verify(_iterations: int) -> None:
        walker.check(TURNS)
        walker.verify()

    return Timed(
        run=run,
        verify=verify,
        size_bytes=RING,
        metric=Metric.LATENCY,
        operations=TURNS * LOADS,
    )


def _gather(gpu: Gpu) -> Timed:
    import numpy as np

    from membench.gpu.verify.pattern import UNTOUCHED, Patterns

    count = GATHER_BYTES // GATHER_BLOCK
    blocks = pool_blocks(count)
    source, target = (gpu.allocate(blocks * GATHER_BLOCK) for _ in range(2))
    rng = np.random.default_rng(_SALT)
    tables = [rng.permutation(blocks)[:count].astype(np.uint32) for _ in range(2)]
    of = np.full(blocks, UNTOUCHED, np.uint32)
    of[tables[0]] = tables[1]
    patterns = Patterns(gpu)
    patterns.fill(source, _SALT)
    patterns.poison(target)
    move = kernel_move(gpu, "sm", target, source, tables, GATHER_BLOCK, 0)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            move.once()

    return Timed(
        run=run,
        verify=lambda _: patterns.check_blocks("gather", target, GATHER_BLOCK, of, _SALT),
        size_bytes=2 * blocks * GATHER_BLOCK,
        bytes_moved=2 * count * GATHER_BLOCK,
        bytes_convention=BytesConvention.RW_SUM,
    )


VICTIMS: Mapping[str, Callable[[Gpu], Timed]] = {
    "read": _read,
    "chase": _chase,
    "gather": _gather,
    "attn": usual_attention,
}


def _aggressor(gpu: Gpu, kind: str, grid: Value) -> Aggressor:
    import numpy as np

    from membench.gpu.verify.pattern import Patterns

    way, _, engine = kind.partition("-")
    require_method(gpu, engine)
    require_grid(engine, grid)
    patterns = Patterns(gpu)
    device: Buffer = gpu.allocate(CHUNK)
    host = gpu.links.memory(CHUNK, "pinned")
    target, source = (device, host) if way == "h2d" else (host, device)
    fill = (lambda b: patterns.fill(b, _SALT)) if way == "h2d" else patterns.poison
    host_fill(gpu, device, host, fill)
    if way == "h2d":
        patterns.poison(device)
    else:
        patterns.fill(device, _SALT)
    blocks = int(grid or 0)
    if engine == "bulk":
        table = np.arange(CHUNK // KV_BLOCK, dtype=np.uint32)
        move = kernel_move(gpu, "bulk", target, source, (table, table), KV_BLOCK, blocks)
    else:
        move = Move(
            copies(gpu, engine, target.address, source.address, CHUNK, blocks),
            {"grid": blocks or gpu.properties.sms} if engine == "sm" else {},
        )

    def verify() -> None:
        if way == "d2h":
            patterns.poison(device)
            gpu.copy(device.address, host.address, CHUNK)
        patterns.check(kind, device, _SALT)

    return Aggressor(move.once, verify, move.facts)


class InterferenceRun:
    """Runs victim and aggressor alone and together, and times their pieces with one clock."""

    def __init__(self, gpu: Gpu, victim: Timed, aggressor: Aggressor) -> None:
        from membench.gpu.protocol import KernelVariant

        self._gpu = gpu
        self._victim = victim
        self._aggressor = aggressor
        self._beside = gpu.stream()
        self._stamp = gpu.kernel(KernelVariant.of("link.cu"), "link_stamp")
        self._ticks = [gpu.allocate(8 * (MOST_CHUNKS + 1)) for _ in range(2)]
        self.done = 0

    def victim_alone(self, pieces: int) -> list[int]:
        """Run the victim alone. Returns the GPU timer (ns) before, between and after its pieces."""
        self._queue_victim(pieces)
        return self._read(0, pieces)

    def aggressor_alone(self, pieces: int) -> list[int]:
        """Run the aggressor alone. Returns the GPU timer (ns) as in `victim_alone`."""
        self._queue_aggressor(pieces)
        self._gpu.wait(self._beside)
        return self._read(1, pieces)

    def both(self, pieces: int, chunks: int) -> tuple[list[int], list[int]]:
        """Run both concurrently. Returns the GPU timer of each, as in `victim_alone`."""
        begun = self._queue_aggressor(chunks)
        self._gpu.links.follow(begun)
        self._queue_victim(pieces)
        self._gpu.synchronize()
        self._gpu.wait(self._beside)
        return self._read(0, pieces), self._read(1, chunks)

    def verify(self) -> None:
        self._gpu.wait(self._beside)
        self._aggressor.verify()
        self._victim.verify(self.done)

    def _queue_victim(self, pieces: int) -> None:
        self._mark(0, 0, None)
        for number in range(pieces):
            self._victim.run(1)
            self._mark(0, number + 1, None)
        self.done += pieces

    def _queue_aggressor(self, chunks: int) -> Event:
        """Queue ``chunks`` copies. Returns an event at the end of the first copy."""
        self._mark(1, 0, self._beside)
        self._aggressor.piece(self._beside)
        self._mark(1, 1, self._beside)
        begun = self._gpu.links.record(self._beside)
        for number in range(1, chunks):
            self._aggressor.piece(self._beside)
            self._mark(1, number + 1, self._beside)
        return begun

    def _mark(self, whose: int, number: int, stream: Stream | None) -> None:
        import numpy as np

        args = (self._ticks[whose], np.uint32(number))
        self._gpu.launch(self._stamp, 1, 1, args, stream=stream)

    def _read(self, whose: int, pieces: int) -> list[int]:
        import numpy as np

        found = self._gpu.download(self._ticks[whose], np.uint64, pieces + 1)
        return [int(one) for one in found]


def _sensible(profile: str, victim: str, aggressor: str, grid: Value) -> bool:
    """Whether the profile measures a case.

    The full profile limits the number of thread blocks (``grid``) only for `sm` copies beside the
    victims `read` and `attn`.
    """
    if profile == "quick":
        return aggressor.endswith("-ce") or aggressor == "h2d-sm"
    return grid == OMITTED or (aggressor.endswith("-sm") and victim in ("read", "attn"))


@bench(
    "interference/link",
    version=4,
    needs=Needs.GPU,
    yields=((Metric.LATENCY, Stat.MEDIAN), (Metric.BANDWIDTH, Stat.MEDIAN)),
    grid=("victim", "aggressor"),
    full_grid=("grid",),
    where=_sensible,
    # The victim runs 21 pieces. A piece takes 10 ms for attn and 8 ms for the chase.
    seconds=lambda victim, **_: {"attn": 0.4, "chase": 0.22}.get(victim, 0.08),
    memory=CHUNK,
    gpu_memory=1400 * MIB,
)
@axis("victim", quick="read", full=tuple(VICTIMS))
@axis(
    "aggressor",
    quick=("h2d-ce", "d2h-ce", "h2d-sm"),
    full=("h2d-ce", "d2h-ce", "h2d-sm", "d2h-sm", "h2d-bulk", "d2h-bulk"),
)
@axis("grid", quick=OMITTED, full=(OMITTED, 4, 16, 64), most=MOST_GRID)
def link(gpu: Gpu, victim: str, aggressor: str, grid: Value) -> Work:
    """Run GPU work (the victim) while copies (the aggressor) use the link.

    Latency is the time of one piece of the victim's work during the copies. A piece is one of:

    - ``victim=read``: one pass of ``hbm/read``.
    - ``victim=chase``: a pointer chase of 16,384 hops.
    - ``victim=gather``: a gather of 256 MiB in blocks of 4 KiB.
    - ``victim=attn``: one step of ``decode/attn``.

    Bandwidth is the bandwidth of the copies during that time. ``aggressor`` is the direction and
    the method of the copies: copy engine (`ce`), kernel (`sm`) or kernel through shared memory
    (`bulk`). ``grid`` limits the thread blocks of a kernel. The row's detail has the victim's
    latency alone (`alone_ns`), the copies' bandwidth alone (`alone_gbs`), and the `slowdown`.
    """
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.workloads.overlap import beside

    work = VICTIMS[victim](gpu)
    other = _aggressor(gpu, aggressor, grid)
    pairing = InterferenceRun(gpu, work, other)

    def observe(_seconds: float) -> Observation:
        from statistics import median  # imported here because it is slow to load

        pairing.victim_alone(1)  # the first run loads the code of all kernels
        pairing.aggressor_alone(1)
        alone = pairing.victim_alone(PIECES)
        own = pairing.aggressor_alone(PIECES)
        piece_ns = median(end - begin for begin, end in pairwise(alone))
        chunk_ns = (own[-1] - own[0]) / PIECES
        chunks = min(MOST_CHUNKS, int(2 * PIECES * piece_ns / max(1.0, chunk_ns)) + 4)
        found = beside(*pairing.both(PIECES, chunks))
        if found is None:
            raise MembenchError(
                f"no piece of the work of victim={victim} ran entirely during the copies"
            )
        slowed = median(found.victim_ns)
        rate = found.aggressor_pieces * CHUNK / found.window_ns
        return Observation(
            {
                (Metric.LATENCY, Stat.MEDIAN): found.victim_ns,
                (Metric.BANDWIDTH, Stat.MEDIAN): [rate],
            },
            {
                "alone_ns": round(piece_ns),
                "alone_gbs": round(CHUNK / max(1.0, chunk_ns), 3),
                "slowdown": round(slowed / piece_ns, 4),
                "window_ns": round(found.window_ns),
            },
        )

    return Observed(
        observe=observe,
        seconds=0.2,
        timer="globaltimer",
        size_bytes=work.size_bytes,
        bytes_moved=CHUNK,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=pairing.verify,
        flags=link_flags(gpu.links),
        detail={**link_detail(gpu.links), **other.facts},
        close=work.close,
    )
