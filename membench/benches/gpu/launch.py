"""The cost of starting work on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.work import Observation, Observed, Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

GRAPH_NODES = 64
"""Number of empty kernels in the graph."""

TURNS = 1000
"""Number of round trips in one observation."""

_DEADLINE_NS = 5_000_000_000


@bench(
    "gpu/launch",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.LATENCY, Stat.MEDIAN),
    seconds=0.05,
)
@axis("kind", quick="kernel", full=("kernel", "graph", "copy"))
def launch(gpu: Gpu, kind: str) -> Work:
    """Time of one launch in a full queue, which is only the device's share of the launch cost.

    - ``kernel``: an empty kernel.
    - ``graph``: one of 64 empty kernels in a CUDA graph.
    - ``copy``: an asynchronous copy of 4 bytes within device memory.
    """
    graph = gpu.capture(lambda: _repeat(gpu.idle, GRAPH_NODES)) if kind == "graph" else None
    source, target = gpu.allocate(4), gpu.allocate(4)
    gpu.fill(source, 0x5A)
    gpu.fill(target, 0)
    once: dict[str, Callable[[], None]] = {
        "kernel": gpu.idle,
        "graph": graph or gpu.idle,
        "copy": lambda: gpu.copy(target.address, source.address, 4),
    }

    def verify(_iterations: int) -> None:
        if kind == "copy" and int(gpu.download(target, "u4", 1)[0]) != 0x5A5A5A5A:
            raise VerificationFailed("gpu/launch: the copy differs from its source")

    return Timed(
        run=lambda iterations: _repeat(once[kind], iterations),
        verify=verify,
        size_bytes=4,
        metric=Metric.LATENCY,
        operations=GRAPH_NODES if kind == "graph" else 1,
        min_sample_s=0.0,
        samples=50,
    )


def _repeat(function: Callable[[], None], times: int) -> None:
    for _ in range(times):
        function()


@bench(
    "gpu/roundtrip",
    version=1,
    needs=Needs.GPU,
    yields=((Metric.LATENCY, Stat.P50), (Metric.LATENCY, Stat.P99)),
    seconds=0.06,  # a thousand round trips of 10 us
)
@axis("kind", quick="launch", full=("launch", "flag"))
def roundtrip(gpu: Gpu, kind: str) -> Work:
    """Time from the host to the device and back, by the host's clock.

    - ``launch``: the host launches an empty kernel and waits for its end. Any operation that the
      host waits for takes at least this time.
    - ``flag``: the host writes a word to mapped host memory and waits until a running kernel
      answers. The time includes at least two crossings of the link.

    The time includes the Python interpreter.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    words = gpu.host(64)
    word = words.array.view(np.int32)
    echo = gpu.kernel(KernelVariant.of("control.cu"), "control_echo")
    answered = [0]

    def by_launch() -> list[float]:
        took = []
        for _ in range(TURNS):
            begin = time.perf_counter_ns()
            gpu.idle()
            gpu.synchronize()
            took.append(float(time.perf_counter_ns() - begin))
        answered[0] = TURNS
        return took

    def by_flag() -> list[float]:
        word[:2] = 0
        gpu.launch(echo, 1, 1, (words, np.int32(TURNS), np.uint64(_DEADLINE_NS)))
        deadline = time.perf_counter_ns() + _DEADLINE_NS
        took = []
        for turn in range(1, TURNS + 1):
            begin = now = time.perf_counter_ns()
            word[0] = turn
            while word[1] < turn and now < deadline:
                now = time.perf_counter_ns()
            took.append(float(time.perf_counter_ns() - begin))
        gpu.synchronize()
        answered[0] = int(word[1])
        return took

    def observe(_seconds: float) -> Observation:
        gpu.idle()
        gpu.synchronize()
        took = by_launch() if kind == "launch" else by_flag()
        return Observation({(Metric.LATENCY, stat): took for stat in (Stat.P50, Stat.P99)})

    def verify() -> None:
        if answered[0] != TURNS:
            raise VerificationFailed(
                f"gpu/roundtrip: with kind={kind}, the GPU answered only {answered[0]} of {TURNS} "
                "requests"
            )

    return Observed(
        observe=observe,
        seconds=0.05,
        timer="perf_counter_ns",
        size_bytes=8,
        verify=verify,
    )
