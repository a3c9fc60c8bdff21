"""Names and texts that several sections of the report use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from membench.analysis.check.rule import CheckVerdict
from membench.analysis.facts import PACKAGE
from membench.analysis.ladder import Rung
from membench.benches import registry
from membench.core.messages import Message, tr, tr_n
from membench.core.terms import Better, Metric, Tier
from membench.report.page.document import Code, Line, joined
from membench.report.screens.blocks import split
from membench.results.schema import Row

TIERS = {
    Tier.SMEM: tr("GPU shared memory"),
    Tier.L1: tr("GPU L1 cache"),
    Tier.L2: tr("GPU L2 cache"),
    Tier.HBM: tr("GPU memory (HBM)"),
    Tier.GPU: tr("GPU"),
    Tier.LINK: tr("Host link"),
    Tier.CACHE: tr("Host caches"),
    Tier.DDR: tr("Host memory (DDR)"),
    Tier.SSD: tr("Disk (SSD)"),
}

SHORT = {
    Tier.SMEM: tr("shared memory"),
    Tier.L1: "L1",
    Tier.L2: "L2",
    Tier.HBM: "HBM",
    Tier.GPU: "GPU",
    Tier.LINK: tr("host link"),
    Tier.CACHE: tr("host caches"),
    Tier.DDR: "DDR",
    Tier.SSD: "SSD",
}
"""Names of the tiers for tables and sentences."""


def rung_name(rung: Rung) -> str:
    return tier_name(rung.tier, peer=rung.peer)


def tier_name(tier: Tier, *, peer: bool) -> str:
    """The name of a tier for tables and sentences; ``peer`` means the link between GPUs."""
    return tr("link between GPUs") if peer else SHORT[tier]


METRICS = {
    Metric.BANDWIDTH: tr("bandwidth"),
    Metric.LATENCY: tr("latency"),
    Metric.IOPS: tr("IOPS"),
    Metric.RATE: tr("rate"),
    Metric.FLOPS: tr("FLOP/s"),
    Metric.ENERGY: tr("energy"),
}


FACTS = {
    "backend": tr("backend"),
    "device": tr("device"),
    "driver": tr("driver"),
    "cuda": tr("cuda"),
    "membench": tr("membench"),
    "machine": tr("machine"),
    "profile": tr("profile"),
    "cpu": tr("cpu"),
    "governor": tr("governor"),
    "hypervisor": tr("hypervisor"),
    "memory": tr("memory"),
    "thp": tr("thp"),
    "multi-size thp": tr("enabled sizes of multi-size thp"),
    "memory policy": tr("memory policy"),
    "setting": tr("setting"),
    "system": tr("system"),
    "kernel": tr("kernel"),
    "python": tr("python"),
}
"""Names of the properties of machines and rows in the report."""


def fact_names(names: Iterable[str]) -> list[str]:
    """Readable names of properties; Python packages are only counted."""
    several = list(names)
    others = [FACTS.get(name, name) for name in several if not name.startswith(PACKAGE)]
    count = len(several) - len(others)
    return [*others, tr_n("{count} package", "{count} packages", count)] if count else others


CHECK_VERDICTS = {
    CheckVerdict.GOOD: tr("pass"),
    CheckVerdict.LOOK: tr("look"),
    CheckVerdict.NOT_JUDGED: tr("not judged"),
    CheckVerdict.FAULT: tr("measurement fault"),
    CheckVerdict.FAIL: tr("fail"),
}


def metric_title(metric: Metric, unit: str, better: Better) -> Message:
    """A title such as ``Bandwidth, GB/s (higher is better)``."""
    heading = {
        Metric.BANDWIDTH: tr("Bandwidth"),
        Metric.LATENCY: tr("Latency"),
        Metric.RATE: tr("Rate"),
        Metric.ENERGY: tr("Energy"),
    }
    what = heading.get(metric, METRICS[metric])
    if better is Better.HIGHER:
        return tr("{metric}, {unit} (higher is better)", metric=what, unit=unit)
    return tr("{metric}, {unit} (lower is better)", metric=what, unit=unit)


def percent(fraction: float) -> str:
    """``0.1234`` -> ``12.3 %``."""
    return f"{100 * fraction:.1f} %"


def origin(row: Row) -> str:
    """``cited``, or the backend such as ``cpu`` or ``import:fio``."""
    return tr("cited") if row.cited else row.backend


_DISK = re.compile(r"(\S+) on (\S+)(?: \((\S+)\))?")


def device_name(device: str) -> str:
    """``device``, or a translatable text for a disk such as ``ext4 on /dev/vda (virtio_blk)``."""
    found = _DISK.fullmatch(device)
    if found is None:
        return device
    filesystem, disk, driver = found.groups()
    if driver is None:
        return tr("{filesystem} on {disk}", filesystem=filesystem, disk=disk)
    return tr("{filesystem} on {disk} ({driver})", filesystem=filesystem, disk=disk, driver=driver)


def about(row: Row) -> str:
    """The first line of the description of the bench; empty for an unknown bench."""
    bench = registry().benches.get(split(row.case)[0])
    return tr(bench.summary.rstrip(".")) if bench else ""


def codes(flags: Sequence[str]) -> Line:
    return joined([(Code(flag),) for flag in flags], " ")
