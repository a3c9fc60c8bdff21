"""Measure the alternatives for each design decision of the GPU benches, on this GPU.

    ci/gpu_ab.py FILE [--dry-run]

Each group of variants is timed three times, one variant after the other. So drift affects all
variants equally.

FILE is a table: group, variant, median, minimum and maximum of the three times, ratio to the first
variant of the group, and facts from the row's detail. A second call continues, because the script
skips groups that are already in FILE. FILE lists a variant that cannot run here, with the reason.
PYTHONPATH must name the checkout; ci/gpu.sh sets it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from membench.benches import registry
from membench.core.axes import OMITTED, Value
from membench.core.backend import Backend, Edge
from membench.core.case import Config
from membench.core.errors import MembenchError, Skip
from membench.core.sizes.working_set import most_of_gpu
from membench.core.snapshot import Machine
from membench.core.terms import UNIT, Stat
from membench.core.units import GIB, KIB, format_size
from membench.core.work import Observed, Timed
from membench.machine import snapshot
from membench.measure.worker.sampling import take_samples
from membench.measure.worker.stopping import FixedCount
from membench.measure.worker.stopwatch import Stopwatches
from membench.workloads.gpu_streams import DEFAULT, HINTS

HEAD = ("group", "variant", "median", "least", "most", "ratio", "unit", "detail")
REPEATS = 3
SAMPLES = 7
SAID = ("in_flight", "once", "hint", "blocks", "clock_cycles", "cycles", "tables", "source_order")
"""Keys of a row's detail that the table contains."""

_COPIED: dict[str, Value] = {"size": "1GiB", "count": "rw_sum"}

STEPS = 500
"""Number of pairs of probes that `clock_steps` measures."""


@dataclass(frozen=True)
class Variant:
    """One variant of a group.

    Attributes:
        more_clusters: number of clusters to launch in addition to the resident ones.
    """

    name: str
    bench: str
    params: Mapping[str, Value]
    config: Config = field(default_factory=dict)
    more_clusters: int = 0


@dataclass(frozen=True)
class Group:
    """Variants that are compared with the first variant of the group."""

    name: str
    variants: tuple[Variant, ...]


class MoreClusters:
    """A wrapper of a GPU that reports `more` additional resident clusters."""

    def __init__(self, gpu: Any, more: int) -> None:
        self._gpu = gpu
        self._more = more

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gpu, name)

    def clusters(self, *args: Any) -> int:
        """The number of resident clusters plus `more`."""
        return int(self._gpu.clusters(*args)) + self._more


def groups(machine: Machine) -> Iterator[Group]:
    """All groups, beginning with the streams."""
    for operation in ("read", "copy", "triad"):
        for size in (1, 4, 8):
            params = {"size": f"{size}GiB", "vec": OMITTED, "config": "best"}
            yield Group(
                f"hbm/{operation} {size}GiB",
                tuple(
                    Variant(
                        f"{'one tile a block' if once else 'resident blocks'}, {HINTS[hint]}",
                        f"hbm/{operation}",
                        params,
                        {**DEFAULT, "once": once, "hint": hint},
                    )
                    for once in (0, 1)
                    for hint in (0, 1, 2)
                ),
            )
        params = {"size": "1GiB", "vec": OMITTED, "config": "best"}
        yield Group(
            f"hbm/{operation} unrolled",
            tuple(
                Variant(f"{n} under way", f"hbm/{operation}", params, {**DEFAULT, "unroll": n})
                for n in (4, 1, 2, 8)
            ),
        )
    for cluster in (2, 4, 8, 16):
        yield Group(
            f"smem/cluster of {cluster}",
            tuple(
                Variant(f"resident {more:+d}", "smem/cluster", {"cluster": cluster}, {}, more)
                for more in (0, -1, 1)
            ),
        )
    yield Group(
        "smem/multicast",
        tuple(
            Variant(f"clusters of {cluster}", "smem/multicast", {"cluster": cluster})
            for cluster in (1, 2, 4, 8, 16)
        ),
    )
    yield Group(
        "hbm/d2d 1GiB",
        tuple(
            Variant(engine or "driver", "hbm/d2d", {**_COPIED, "engine": engine})
            for engine in (OMITTED, "tma")
        ),
    )
    reached = [size * GIB for size in (1, 2, 4, 8, 16, 32, 64)]
    most = most_of_gpu(machine) or 4 * GIB
    sizes = [*(size for size in reached if size < most), most]
    yield Group("gpu/chase by footprint", tuple(_chase(size) for size in sizes))
    yield Group("gpu/chase in L1", tuple(_chase(16 * KIB, hint) for hint in ("plain", "ca")))
    yield Group(
        "l1/read",
        tuple(
            Variant(hint, "l1/read", {"size": "64KiB", "hint": hint}) for hint in ("plain", "ca")
        ),
    )
    yield Group(
        "gpu/gemm/fp8",
        tuple(
            _product("fp8", out, {"sums": sums})
            for sums, out in (("fast", "bf16"), ("exact", "bf16"), ("exact", "fp32"))
        ),
    )
    yield Group(
        "gpu/gemm of Blackwell",
        tuple(Variant(kind, f"gpu/gemm/{kind}", {"n": 8192}) for kind in ("mxfp8", "nvfp4")),
    )
    yield Group(
        "gpu/gemm/bf16",
        tuple(_product("bf16", out, {}) for out in ("bf16", "fp32")),
    )
    for block, count in (("16KiB", 1024), ("28KiB", 10_000)):
        moved: dict[str, Value] = {"block": block, "count": count}
        moved |= {"order": "random", "grid": OMITTED}
        yield Group(
            f"kv/h2d {count} x {block}",
            tuple(
                Variant(method, "kv/h2d", {**moved, "method": method})
                for method in ("batch", "batch-any", "batch-overlap")
            ),
        )


def _product(kind: str, out: str, more: Mapping[str, Value]) -> Variant:
    said = ", ".join(f"{key} {value}" for key, value in (*more.items(), ("out", out)))
    params: dict[str, Value] = {"n": 8192, **more, "out": out}
    return Variant(said, f"gpu/gemm/{kind}", params)


def _chase(size: int, hint: str = "plain") -> Variant:
    text = format_size(size)
    params = {"size": text, "order": "random", "hint": hint}
    return Variant(f"{text}, {hint}", "gpu/chase", params)


def measured(
    variant: Variant, gpu: Backend, watches: Stopwatches
) -> tuple[float, str, dict[str, Any]]:
    """(value, unit, detail) of one verified repetition."""
    given: Any = MoreClusters(gpu, variant.more_clusters) if variant.more_clusters else gpu
    try:
        work = registry().benches[variant.bench].build(given, variant.params, variant.config)
        if isinstance(work, Observed):
            observation = work.observe(work.seconds)
            if work.verify is not None:
                work.verify()
            (metric, samples), *_ = (
                (metric, samples)
                for (metric, stat), samples in observation.samples.items()
                if stat is Stat.MEDIAN
            )
            return median(samples), UNIT[metric], {**work.detail, **observation.detail}
        assert isinstance(work, Timed)
        sampled = take_samples(watches.stopwatch(gpu, work), work, FixedCount(SAMPLES))
        work.verify(sampled.total)
        values = [work.value(elapsed, sampled.iterations) for elapsed in sampled.elapsed_ns]
        return median(values), UNIT[work.metric], dict(work.detail)
    finally:
        gpu.reclaim()


def rows(group: Group, gpu: Backend, watches: Stopwatches) -> Iterator[tuple[str, ...]]:
    """The table lines of one group."""
    values: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    details: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for _ in range(REPEATS):
        for variant in group.variants:
            if variant.name in reasons:
                continue
            try:
                value, unit, detail = measured(variant, gpu, watches)
            except (Skip, MembenchError) as error:
                reasons[variant.name] = f"{type(error).__name__}: {error}"
                continue
            values.setdefault(variant.name, []).append(value)
            units[variant.name] = unit
            said = (f"{key}={detail[key]}" for key in SAID if key in detail)
            details[variant.name] = " ".join(said)
    first = values.get(group.variants[0].name)
    for variant in group.variants:
        found = values.get(variant.name)
        if found is None:
            yield (group.name, variant.name, "", "", "", "", "", reasons[variant.name])
            continue
        ratio = f"{median(found) / median(first):.3f}" if first else ""
        numbers = (f"{number:.6g}" for number in (median(found), min(found), max(found)))
        yield (
            group.name,
            variant.name,
            *numbers,
            ratio,
            units[variant.name],
            details[variant.name],
        )


def clock_steps(gpu: Any) -> Iterator[tuple[str, ...]]:
    """Table lines with the smallest observed steps of the event clock and of the global timer."""
    events, timers = set(), set()
    for _ in range(STEPS):
        gpu.probe(Edge.BEFORE)
        gpu.mark(Edge.BEFORE)
        gpu.idle()
        gpu.mark(Edge.AFTER)
        gpu.probe(Edge.AFTER)
        gpu.synchronize()
        stamps = gpu.stamps()
        events.add(stamps.elapsed_ns)
        timers.add(stamps.after.global_ns - stamps.before.global_ns)
    for name, seen in (("event", events), ("globaltimer", timers)):
        ordered = sorted(seen)
        gaps = [after - before for before, after in pairwise(ordered)]
        least = f"{min(gaps):.6g}" if gaps else ""
        yield ("clock steps", name, least, "", "", "", "ns", f"{len(ordered)} values")


def main(arguments: list[str]) -> int:
    """Measure every group that the table does not contain yet."""
    path, dry = Path(arguments[0]), arguments[1:] == ["--dry-run"]
    machine = snapshot()
    every = list(groups(machine))
    if dry:
        for group in every:
            for variant in group.variants:
                registry().benches[variant.bench].case(dict(variant.params), machine)
            print(f"{group.name}: {', '.join(variant.name for variant in group.variants)}")
        print("clock steps: event, globaltimer")
        return 0
    from membench.measure.backends import open_backend

    done: set[str] = set()
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            done = {row["group"] for row in csv.DictReader(file)}
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(HEAD)
    names = {variant.bench for group in every for variant in group.variants}
    gpu = open_backend("cuda", machine, benches=sorted(names))
    watches = Stopwatches()

    def add(lines: Iterator[tuple[str, ...]]) -> None:
        found = list(lines)
        with path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(found)
        for group, variant, value, _, _, ratio, unit, detail in found:
            print(
                f"{group:<24} {variant:<32} {value:>10} {unit:<8} {ratio:>6} {detail}", flush=True
            )

    try:
        if "clock steps" not in done:
            add(clock_steps(gpu))
        for group in every:
            if group.name not in done:
                add(rows(group, gpu, watches))
    finally:
        gpu.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
