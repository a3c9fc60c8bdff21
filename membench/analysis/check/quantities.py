"""The quantities by which a check judges each tier, in the order of the memory hierarchy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from membench.core.case_id import split_case
from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import Metric, Stat, Tier
from membench.results.schema import Row


class MachinePart(StrEnum):
    """Hardware that a machine must have so that a quantity can be measured."""

    GPU = "gpu"
    PEERS = "peers"  # two GPUs or more
    HOST = "host"
    DISK = "disk"


@record
class Quantity:
    """A measurable property by which a tier is judged, such as read bandwidth.

    Attributes:
        stats: the accepted statistics, the usual statistic first.
        fixed: axis -> value, for the axes with the same value in all cases of the quantity.
        main: whether a check lists the quantity even if it was not measured or has no expected
            value.
    """

    name: str
    tier: Tier
    metric: Metric
    bench: str
    part: MachinePart
    fixed: Mapping[str, str] = field(default_factory=dict)
    stats: tuple[Stat, ...] = (Stat.MEDIAN,)
    main: bool = True

    def has(self, case: str) -> bool:
        """Whether ``case`` measures this quantity."""
        bench, axes = split_case(case)
        return bench == self.bench and all(
            axes.get(axis) == value for axis, value in self.fixed.items()
        )

    def takes(self, row: Row) -> bool:
        return (
            row.tier is self.tier
            and row.metric is self.metric
            and row.stat in self.stats
            and self.has(row.case)
        )


_WALK = {"order": "random", "hint": "plain"}
_EITHER = (Stat.MEDIAN, Stat.P50)
_CE = {"engine": "ce"}
_PINNED = {"mem": "pinned", "engine": "ce", "streams": "1"}
_PINNED_SM = {**_PINNED, "engine": "sm"}

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        tr("L1 latency"), Tier.L1, Metric.LATENCY, "gpu/chase", MachinePart.GPU, _WALK, _EITHER
    ),
    Quantity(
        tr("L2 latency"), Tier.L2, Metric.LATENCY, "gpu/chase", MachinePart.GPU, _WALK, _EITHER
    ),
    Quantity(tr("L2 read"), Tier.L2, Metric.BANDWIDTH, "l2/read", MachinePart.GPU),
    Quantity(tr("GPU memory read"), Tier.HBM, Metric.BANDWIDTH, "hbm/read", MachinePart.GPU),
    Quantity(tr("GPU memory write"), Tier.HBM, Metric.BANDWIDTH, "hbm/write", MachinePart.GPU),
    Quantity(tr("GPU memory copy"), Tier.HBM, Metric.BANDWIDTH, "hbm/copy", MachinePart.GPU),
    Quantity(
        tr("GPU memory scale"), Tier.HBM, Metric.BANDWIDTH, "hbm/scale", MachinePart.GPU, main=False
    ),
    Quantity(
        tr("GPU memory add"), Tier.HBM, Metric.BANDWIDTH, "hbm/add", MachinePart.GPU, main=False
    ),
    Quantity(tr("GPU memory triad"), Tier.HBM, Metric.BANDWIDTH, "hbm/triad", MachinePart.GPU),
    Quantity(
        tr("GPU memory, copy engine"),
        Tier.HBM,
        Metric.BANDWIDTH,
        "hbm/d2d",
        MachinePart.GPU,
        main=False,
    ),
    Quantity(
        tr("GPU memory latency"),
        Tier.HBM,
        Metric.LATENCY,
        "gpu/chase",
        MachinePart.GPU,
        _WALK,
        _EITHER,
    ),
    Quantity(tr("matrix products, BF16"), Tier.GPU, Metric.FLOPS, "gpu/gemm/bf16", MachinePart.GPU),
    Quantity(
        tr("matrix products, FP8"),
        Tier.GPU,
        Metric.FLOPS,
        "gpu/gemm/fp8",
        MachinePart.GPU,
        main=False,
    ),
    Quantity(tr("host to GPU"), Tier.LINK, Metric.BANDWIDTH, "link/h2d", MachinePart.GPU, _PINNED),
    Quantity(tr("GPU to host"), Tier.LINK, Metric.BANDWIDTH, "link/d2h", MachinePart.GPU, _PINNED),
    Quantity(
        tr("host to GPU, copied by a kernel"),
        Tier.LINK,
        Metric.BANDWIDTH,
        "link/h2d",
        MachinePart.GPU,
        _PINNED_SM,
        main=False,
    ),
    Quantity(
        tr("GPU to host, copied by a kernel"),
        Tier.LINK,
        Metric.BANDWIDTH,
        "link/d2h",
        MachinePart.GPU,
        _PINNED_SM,
        main=False,
    ),
    Quantity(
        tr("read from a GPU"), Tier.LINK, Metric.BANDWIDTH, "peer/read", MachinePart.PEERS, _CE
    ),
    Quantity(
        tr("write to a GPU"), Tier.LINK, Metric.BANDWIDTH, "peer/write", MachinePart.PEERS, _CE
    ),
    Quantity(
        tr("GPU to GPU, both ways"),
        Tier.LINK,
        Metric.BANDWIDTH,
        "peer/bidir",
        MachinePart.PEERS,
        _CE,
        main=False,
    ),
    Quantity(
        tr("DDR read"), Tier.DDR, Metric.BANDWIDTH, "ddr/read", MachinePart.HOST, {"threads": "all"}
    ),
    Quantity(
        tr("DDR triad"),
        Tier.DDR,
        Metric.BANDWIDTH,
        "ddr/triad",
        MachinePart.HOST,
        {"threads": "all"},
    ),
    Quantity(
        tr("DDR copy"),
        Tier.DDR,
        Metric.BANDWIDTH,
        "ddr/copy",
        MachinePart.HOST,
        {"threads": "all"},
        main=False,
    ),
    Quantity(tr("DDR latency"), Tier.DDR, Metric.LATENCY, "host/chase", MachinePart.HOST),
    Quantity(
        tr("SSD sequential read"),
        Tier.SSD,
        Metric.BANDWIDTH,
        "ssd/read",
        MachinePart.DISK,
        {"pattern": "seq"},
    ),
    Quantity(
        tr("SSD random 4 KiB reads"),
        Tier.SSD,
        Metric.IOPS,
        "ssd/read",
        MachinePart.DISK,
        {"pattern": "rand", "block": "4KiB"},
    ),
)

CASES: tuple[str, ...] = (
    "gpu/chase/size=16KiB/order=random/hint=plain",
    "gpu/chase/size=1MiB/order=random/hint=plain",
    "gpu/chase/size=1GiB/order=random/hint=plain",
    "l2/read",
    "hbm/read/size=auto/vec=16",
    "hbm/write/size=auto/vec=16",
    "hbm/copy/size=auto/vec=16",
    "hbm/triad/size=auto/vec=16",
    "gpu/gemm/bf16",
    "link/h2d/size=64MiB/mem=pinned/engine=ce/streams=1",
    "link/d2h/size=64MiB/mem=pinned/engine=ce/streams=1",
    "peer/read/size=256MiB/engine=ce",
    "peer/write/size=256MiB/engine=ce",
    "ddr/read/size=auto/threads=all",
    "ddr/triad/size=auto/threads=all",
    "host/chase/size=auto/pages=thp",
    "ssd/read/pattern=seq",
    "ssd/read/pattern=rand/block=4KiB",
)
"""Globs for the cases of the quick profile that a check measures."""
