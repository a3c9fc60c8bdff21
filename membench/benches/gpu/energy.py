"""Energy per byte moved, measured by NVML's energy counter during steady loops of ten seconds.

Power sensors of recent GPUs sample only part of the time, so only long loops give useful results
(Yang et al., "Accurate and Convenient Energy Measurements for GPUs", SC24).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from membench.core.case import Bench, Needs, axis, bench
from membench.core.errors import MembenchError, VerificationFailed
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Observation, Observed, Work
from membench.gpu.units import VECTOR
from membench.workloads.decode_step import CONTEXT, MODEL, attention_shape
from membench.workloads.gpu_streams import DEFAULT, variant
from membench.workloads.model_shapes import MODELS
from membench.workloads.page_gather import BLOCK, page_table

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu
    from membench.gpu.verify.content import Repeated

REPEATS = 3
LOOP_S = 10.0
IDLE_S = 1.5
"""Seconds of idling before each loop, to measure the idle power."""

BATCH_S = 0.05
"""Seconds of work that the host queues at once; much longer than the gap between two batches."""

SIZE = 2 * GIB
GATHERED = GIB
PAGE = 4 * KIB
LINK_BYTES = 256 * MIB

TILE_WORDS = 4_194_301
"""Number of words after which the random data repeat, a prime."""

_SEED = 0xE


@dataclass(frozen=True)
class Load:
    """The work that an energy loop repeats.

    Attributes:
        once: function that queues the work once.
        verify: function that gets the number of repetitions, and raises if the result is wrong.
        payload: bytes that one repetition moves.
        size: bytes of the working set.
    """

    once: Callable[[], None]
    verify: Callable[[int], None]
    payload: int
    size: int
    convention: BytesConvention = BytesConvention.PAYLOAD


def _declared(
    name: str, gpu_memory: int, *grid: str, version: int = 1
) -> Callable[[Callable[..., Work]], Bench]:
    def decorate(function: Callable[..., Work]) -> Bench:
        return bench(
            name,
            version=version,
            needs=Needs.GPU,
            yields=(Metric.ENERGY, Stat.MEDIAN),
            profiles=("full",),
            seconds=IDLE_S + REPEATS * (LOOP_S + IDLE_S) + 1,
            memory=GIB,
            gpu_memory=gpu_memory,
            grid=grid,
            rounds=1,
        )(function)

    return decorate


@_declared("hbm/energy", SIZE + 64 * MIB, "op", "data")
@axis("op", quick=("read", "gather"))
@axis("data", quick=("random", "zeros"))
def hbm(gpu: Gpu, op: str, data: str) -> Work:
    """Dynamic energy per byte read from GPU memory, in order or in random pages of 4 KiB.

    The dynamic energy is the energy of the whole board during a loop, minus the idle energy for the
    same time. The idle power is measured just before the loop.
    """
    return _work(gpu, (_read if op == "read" else _gather)(gpu, data), data)


@_declared("link/energy", LINK_BYTES + MIB)
@axis("data", quick=("random", "zeros"))
def link(gpu: Gpu, data: str) -> Work:
    """Dynamic energy of the GPU board per byte copied from page-locked host memory."""
    return _work(gpu, _h2d(gpu, data), data)


@_declared("decode/energy", 4 * GIB, version=3)
@axis("data", quick=("random", "zeros"))
def decode(gpu: Gpu, data: str) -> Work:
    """Dynamic energy per byte of KV cache that the attention of a decode step reads."""
    from membench.workloads.attention import Attention

    shape = attention_shape(MODELS[MODEL], CONTEXT)
    attention = Attention(gpu, shape, "fp16", zeros=data == "zeros")
    attention.step()  # the first launch loads code, which a capture does not allow
    gpu.synchronize()
    once = gpu.capture(attention.step)
    load = Load(once, lambda _: attention.verify(), attention.payload, attention.payload)
    return _work(gpu, load, data)


def _filled(gpu: Gpu, target: Buffer, data: str) -> Repeated:
    from membench.gpu.verify.content import Repeated, random_words, repeat

    tile = random_words(TILE_WORDS, _SEED)
    if data == "zeros":
        tile[:] = 0
    repeat(gpu, target, tile)
    return Repeated(tile)


def _read(gpu: Gpu, data: str) -> Load:
    import numpy as np

    from membench.gpu.verify.content import BlockSums

    kernel, block = gpu.kernel(variant(DEFAULT), "stream_read"), DEFAULT["block"]
    blocks = gpu.occupancy(kernel, block) * gpu.properties.sms
    memory = gpu.allocate(SIZE)
    content = _filled(gpu, memory, data)
    sums = BlockSums(gpu, blocks)
    args = (sums.buffer, memory, np.uint64(SIZE // DEFAULT["vec"]))
    expected = content.sum(np.zeros(1, np.uint64), SIZE // 4)
    return Load(
        lambda: gpu.launch(kernel, blocks, block, args),
        lambda times: sums.check("hbm/energy", times * expected),
        SIZE,
        SIZE,
        BytesConvention.RW_SUM,
    )


def _gather(gpu: Gpu, data: str) -> Load:
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums

    kernel = gpu.kernel(KernelVariant.of("gather.cu"), "gather_read")
    blocks = gpu.occupancy(kernel, BLOCK) * gpu.properties.sms
    table = page_table("uniform", SIZE // PAGE, GATHERED // PAGE)
    pool, named = gpu.allocate(SIZE), gpu.allocate(table.nbytes)
    content = _filled(gpu, pool, data)
    gpu.upload(named, table)
    sums = BlockSums(gpu, blocks)
    bits = (PAGE // VECTOR).bit_length() - 1
    # a shift of 0, and the number of pages
    numbers = (np.uint32(0), np.uint32(SIZE // PAGE))
    args = (sums.buffer, pool, named, np.uint32(bits), np.uint64(table.size << bits), *numbers)
    expected = content.sum(table.astype(np.uint64) * np.uint64(PAGE // 4), PAGE // 4)
    return Load(
        lambda: gpu.launch(kernel, blocks, BLOCK, args),
        lambda times: sums.check("hbm/energy", times * expected),
        GATHERED,
        SIZE,
    )


def _h2d(gpu: Gpu, data: str) -> Load:
    import numpy as np

    from membench.gpu.verify.content import random_words

    source, target = gpu.host(LINK_BYTES), gpu.allocate(LINK_BYTES)
    words = source.array.view(np.uint32)
    words[:] = 0 if data == "zeros" else random_words(words.size, _SEED)
    gpu.fill(target, 0x5A)

    def verify(_times: int) -> None:
        if not np.array_equal(gpu.download(target, np.uint32, words.size), words):
            raise VerificationFailed("link/energy: the copy differs from its source")

    return Load(
        lambda: gpu.copy(target.address, source.address, LINK_BYTES),
        verify,
        LINK_BYTES,
        LINK_BYTES,
    )


def _work(gpu: Gpu, load: Load, data: str) -> Work:
    joules = gpu.energy()
    done = [0]

    def batch(times: int) -> None:
        for _ in range(times):
            load.once()
        gpu.synchronize()
        done[0] += times

    def loop(times: int, seconds: float) -> int:
        """Run batches for about ``seconds``. Returns the number of repetitions."""
        before, end = done[0], time.perf_counter() + seconds
        while time.perf_counter() < end:
            batch(times)
        return done[0] - before

    def observe(_seconds: float) -> Observation:
        from statistics import median  # imported here because it is slow to load

        batch(1)
        begin = time.perf_counter()
        batch(1)
        times = max(1, round(BATCH_S / max(1e-6, time.perf_counter() - begin)))
        loop(times, IDLE_S)  # warm-up: raises the clocks and the temperature of the board
        found = [_repeat(joules, lambda: loop(times, LOOP_S), load.payload) for _ in range(REPEATS)]
        detail: Mapping[str, str | int | float] = {
            name: round(median(facts[name] for _, facts in found), 1) for name in found[0][1]
        }
        return Observation({(Metric.ENERGY, Stat.MEDIAN): [value for value, _ in found]}, detail)

    return Observed(
        observe=observe,
        seconds=REPEATS * (LOOP_S + IDLE_S),
        timer="perf_counter",
        size_bytes=load.size,
        bytes_moved=load.payload,
        bytes_convention=load.convention,
        verify=lambda: load.verify(done[0]),
        detail={"counter": "nvml", "data": data, "repeats": REPEATS},
    )


def _repeat(
    joules: Callable[[], float], loop: Callable[[], int], payload: int
) -> tuple[float, dict[str, float]]:
    """Run ``loop``; return its dynamic energy in pJ per byte, and power (W) and bandwidth (GB/s).

    Raises:
        MembenchError: the loop used no more energy than the idle board.
    """
    idle_begin, idle_before = time.perf_counter(), joules()
    time.sleep(IDLE_S)
    begin, before = time.perf_counter(), joules()
    bytes_moved = loop() * payload
    end, after = time.perf_counter(), joules()
    idle_w = (before - idle_before) / (begin - idle_begin)
    dynamic = after - before - idle_w * (end - begin)
    if not dynamic > 0:
        raise MembenchError(
            f"the energy counter reports {(after - before):.3g} J for the loop, and "
            f"{(idle_w * (end - begin)):.3g} J for the same time without work: the difference is "
            "not positive"
        )
    return 1e12 * dynamic / bytes_moved, {
        "idle_w": idle_w,
        "loop_w": (after - before) / (end - begin),
        "gb_s": bytes_moved / (end - begin) / 1e9,
    }
