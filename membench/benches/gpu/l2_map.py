"""The latency from each SM to lines of the L2 cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import MIB
from membench.core.work import Observation, Observed, Work
from membench.gpu.units import LINE

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

LINES = 128
"""Number of measured lines, which the GPU distributes over the slices of the L2 cache."""

LOADS = 16
_SEED = 0x12

_OUT_WORDS = 4


@bench(
    "l2/map",
    version=1,
    needs=Needs.GPU,
    yields=((Metric.LATENCY, Stat.MEDIAN), (Metric.LATENCY, Stat.P95)),
    seconds=0.12,  # one launch per SM, with 2048 hits per launch
    gpu_memory=lambda size: size + MIB,
)
@axis("size", quick="8MiB", least=LINES * LINE, step=LINE)
def l2_map(gpu: Gpu, size: int) -> Work:
    """Latency of an L2 hit, for every pair of an SM and one of 128 lines of a buffer.

    One SM at a time loads each line 16 times in a dependent chain. A sample is the mean of these 16
    loads, so p95 is a percentile over pairs of an SM and a line. On a GPU with two L2 partitions,
    the samples form two groups, near and far.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    variant = KernelVariant.of("l2map.cu", LOADS=LOADS)
    link, find, run = (gpu.kernel(variant, f"l2map_{entry}") for entry in ("link", "where", "run"))
    sms = gpu.properties.sms
    choice = np.random.default_rng(_SEED).permutation(size // LINE)[:LINES]
    memory, lines = gpu.allocate(size), gpu.allocate(4 * LINES)
    out, took = gpu.allocate(8 * _OUT_WORDS * sms), gpu.allocate(4 * LINES * sms)
    gpu.upload(lines, choice.astype(np.uint32))
    gpu.fill(out, 0)
    gpu.fill(took, 0)
    gpu.launch(link, 1, 128, (memory, lines, np.uint32(LINES)))
    where = gpu.allocate(4 * sms)
    gpu.launch(find, sms, 1, (where,))
    numbers = np.unique(gpu.download(where, np.uint32, sms))
    wrong: list[str] = []

    def observe(_seconds: float) -> Observation:
        for index, sm in enumerate(numbers):
            args = (
                np.uint64(out.address + 8 * _OUT_WORDS * index),
                np.uint64(took.address + 4 * LINES * index),
                *(memory, lines, np.uint32(LINES), sm),
            )
            gpu.launch(run, sms, 1, args)
        found = gpu.download(out, np.uint64, _OUT_WORDS * sms).reshape(sms, _OUT_WORDS)
        cycles = gpu.download(took, np.uint32, LINES * sms).reshape(sms, LINES)
        seen = np.flatnonzero(found[:, 3])
        if not seen.size:
            raise VerificationFailed("l2/map: no SM ran its measurement")
        wrong.extend(
            f"SM {numbers[one]}: {found[one, 0]} of {LINES} lines have wrong contents"
            if found[one, 0]
            else f"SM {numbers[one]}: another SM ran the measurement"
            for one in seen
            if found[one, 3] != 1 + numbers[one] or found[one, 0]
        )
        ghz = float(np.median(found[seen, 2] / found[seen, 1]))
        spans = cycles[seen] / LOADS / ghz
        of_sm = np.median(spans, axis=1)
        samples = np.sort(spans.reshape(-1)).tolist()
        return Observation(
            {(Metric.LATENCY, stat): samples for stat in (Stat.MEDIAN, Stat.P95)},
            {
                "sms": int(seen.size),
                "lines": LINES,
                "sm_low": round(float(of_sm.min()), 1),
                "sm_high": round(float(of_sm.max()), 1),
            },
            sm_mhz=1e3 * ghz,
        )

    def verify() -> None:
        if wrong:
            raise VerificationFailed(wrong[0])

    return Observed(
        observe=observe,
        seconds=0.2,
        timer="clock64",
        size_bytes=size,
        verify=verify,
        detail={"registers": run.registers},
    )
