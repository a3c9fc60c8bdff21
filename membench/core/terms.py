"""The vocabulary: every word that a result row may contain, defined once.

Floor 0: imports only the marking of messages from membench, and nothing heavy. A word that is not
in this module does not appear in a results file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from membench.core.messages import tr


class Word(StrEnum):
    """A word of a closed list; its hash is that of its text, which Python need not compute anew."""

    __hash__ = str.__hash__


class Tier(Word):
    """The level of the memory hierarchy that a case measures."""

    SMEM = "smem"
    L1 = "l1"
    L2 = "l2"
    HBM = "hbm"  # device DRAM of any kind; the kind stands in `detail`
    GPU = "gpu"  # launch, compute, atomics
    LINK = "link"
    CACHE = "cache"  # host caches
    DDR = "ddr"
    SSD = "ssd"


class Metric(Word):
    """The measured quantity. Each metric has one unit and one direction."""

    BANDWIDTH = "bandwidth"
    LATENCY = "latency"
    IOPS = "iops"
    RATE = "rate"
    FLOPS = "flops"
    ENERGY = "energy"


class Stat(Word):
    """The statistic of a round's samples that is reported for the round."""

    MEDIAN = "median"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    P999 = "p999"


class Status(Word):
    """The outcome of a case."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


class Better(Word):
    """Which direction is an improvement; stored in every row."""

    HIGHER = "higher"
    LOWER = "lower"


class BytesConvention(Word):
    """How `bytes_moved` counts reads and writes."""

    RW_SUM = "rw_sum"  # STREAM kernels: bytes read + bytes written, no write-allocate
    PAYLOAD = "payload"  # copies between tiers: each byte once


class CacheState(Word):
    """Whether the working set was evicted from the caches before each sample."""

    COLD = "cold"
    HOT = "hot"


class PeakBasis(Word):
    """The origin of the figure in `peak`."""

    SPEC = "spec"
    QUERIED = "queried"
    MEASURED = "measured"


class ClaimVerdict(StrEnum):
    """The four verdicts on a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable here"


class ClaimClass(StrEnum):
    """The kind of evidence that decides a claim."""

    MEASURED = "M"  # a statistic of measurements
    MODELLED = "D"  # a model fed by measurements or assumptions
    RECORD = "P"  # dated public records
    OUT_OF_SCOPE = "X"


class Badge(StrEnum):
    """Why a verdict does not rest on membench's own measurements alone."""

    CITED = "cited"  # figures that somebody else published
    IMPORTED = "imported"  # measured, by another tool
    SUBSTITUTED = "substituted"  # an assumption replaces a missing measurement
    OVERRIDDEN = "own assumptions"  # assumptions that membench does not ship


UNIT: Mapping[Metric, str] = MappingProxyType(
    {
        Metric.BANDWIDTH: "GB/s",
        Metric.LATENCY: "ns",
        Metric.IOPS: "1/s",
        Metric.RATE: "1/s",
        Metric.FLOPS: "GFLOP/s",
        Metric.ENERGY: "pJ/B",
    }
)

BETTER: Mapping[Metric, Better] = MappingProxyType(
    {
        Metric.BANDWIDTH: Better.HIGHER,
        Metric.LATENCY: Better.LOWER,
        Metric.IOPS: Better.HIGHER,
        Metric.RATE: Better.HIGHER,
        Metric.FLOPS: Better.HIGHER,
        Metric.ENERGY: Better.LOWER,
    }
)

QUANTILE: Mapping[Stat, float] = MappingProxyType(
    {Stat.MEDIAN: 0.5, Stat.P50: 0.5, Stat.P95: 0.95, Stat.P99: 0.99, Stat.P999: 0.999}
)

PREFIX_TIER: Mapping[str, Tier] = MappingProxyType(
    {
        "smem": Tier.SMEM,
        "l1": Tier.L1,
        "l2": Tier.L2,
        "hbm": Tier.HBM,
        "gpu": Tier.GPU,
        "decode": Tier.GPU,
        "link": Tier.LINK,
        "kv": Tier.LINK,
        "zerocopy": Tier.LINK,
        "interference": Tier.LINK,
        "managed": Tier.LINK,
        "hmm": Tier.LINK,
        "peer": Tier.LINK,
        "ddr": Tier.DDR,
        "host": Tier.DDR,  # host/chase declares its own tier, by footprint
        "ssd": Tier.SSD,
        "paging": Tier.SSD,
    }
)
"""First path component of a case id -> tier, unless the bench names another."""


@dataclass(frozen=True)
class Flag:
    """A reason to trust a number less.

    ``meaning`` is the observation, ``weight`` its severity, ``remedy`` the advice.
    """

    code: str
    meaning: str
    weight: str
    remedy: str


_FLAGS = (
    Flag(
        "noisy",
        tr("the rounds differ by more than the tier's threshold (spread = 1.4826 MAD / median)"),
        tr("differences to another run that are smaller than the spread are not significant"),
        tr("close other programs and run again with --rounds 10"),
    ),
    Flag(
        "throttled",
        tr("the device lowered its clock while the case was measured (power, heat or a set limit)"),
        tr("the result reflects the current (throttled) state, not peak capability"),
        tr("cool the device or raise its power limit, then run again"),
    ),
    Flag(
        "above-peak",
        tr("the result is larger than the theoretical peak of the tier"),
        tr("invalid: a faster memory than the tier served the data"),
        tr("use a larger size; please report the case"),
    ),
    Flag(
        "cache-served",
        tr(
            "each array is smaller than four times the last-level caches that the case's own "
            "processors can reach"
        ),
        tr(
            "part of the traffic may never have reached memory (the STREAM rule asks for four "
            "times)"
        ),
        tr(
            "leave the size at auto and free some memory, or ask for more: "
            "membench run --set 'ddr/*:size=4GiB'"
        ),
    ),
    Flag(
        "cache-unknown",
        tr(
            "no pointer chase confirmed the reported caches: none are reported, they behave "
            "differently, or the chase could not be measured"
        ),
        tr("the array size is based on the reported caches: a larger cache may have served a part"),
        tr("membench doctor shows the observation; --set 'ddr/*:size=4GiB' is beyond most caches"),
    ),
    Flag(
        "transition",
        tr(
            "the footprint is between two steps of the latency: one tier serves a part of the "
            "loads and the next tier the rest"
        ),
        tr(
            "the number belongs to no tier: it is a point of the curve and never the best of a tier"
        ),
        tr("look at the sizes before and after it: membench run --select '*/chase'"),
    ),
    Flag(
        "single-round",
        tr("only one round was measured"),
        tr("the noise between rounds is unknown, so comparisons are unreliable"),
        tr("run with --rounds 5 or more"),
    ),
    Flag(
        "best-of",
        tr("the value is the best of all repetitions, as another tool reports it"),
        tr("it shows the machine at its best; membench's medians are lower"),
        tr("compare it with the max column of a run, or let the other tool report a median"),
    ),
    Flag(
        "short-run",
        tr("the other tool measured for less than 100 ms and divided by whole milliseconds"),
        tr("the rate may be wrong by more than 1 %, for runs of a few ms by a multiple"),
        tr("let the other tool run for some seconds"),
    ),
    Flag(
        "not-converged",
        tr("the sampling stopped at its time cap before its rule was met"),
        tr("the median is less certain than those of other cases"),
        tr("run again on a quieter machine, or with --rounds 10"),
    ),
    Flag(
        "unpinned",
        tr("the kernel did not let membench pin its threads to CPUs"),
        tr(
            "threads may have moved or shared a core meanwhile: the result may be below the "
            "machine's capability"
        ),
        tr(
            "allow sched_setaffinity (systemd: SystemCallFilter= without ~@resources), "
            "or run outside of the sandbox"
        ),
    ),
    Flag(
        "few-huge-pages",
        tr("less than 90 % of the memory of a case with transparent huge pages was on huge pages"),
        tr("latencies and bandwidths include page-table walks that huge pages would avoid"),
        tr(
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled; "
            "membench doctor shows other obstacles"
        ),
    ),
    Flag(
        "unpinned-numa",
        tr("the measuring process could not be bound to the memory node of its device"),
        tr("the result may include a hop between sockets"),
        tr("start membench under numactl, or in a container that grants the CPUs of that node"),
    ),
    Flag(
        "busy-cpu",
        tr(
            "other processes used the CPUs, or the hypervisor kept their time for other guests, "
            "while the case was measured (`others`, `steal`)"
        ),
        tr("the result is that of a shared machine and may be half of its capability"),
        tr(
            "close other programs (membench doctor names them), or take a dedicated instance; "
            "two settings compare best in turns: membench run --versus"
        ),
    ),
    Flag(
        "busy-gpu",
        tr("another process used the GPU during the run"),
        tr("the result is a share of the device, not its full capability"),
        tr("stop the other process (nvidia-smi names it) and run again"),
    ),
    Flag(
        "link-downtrained",
        tr("the host link ran below its maximum width or speed while under load"),
        tr("every link result of this run is below the machine's capability"),
        tr("reseat the card; look at nvidia-smi -q -d PCIE and the firmware's slot settings"),
    ),
    Flag(
        "other-memory",
        tr(
            "the memory is not the host's ordinary memory: a GPU's, persistent, or of a node "
            "without processors"
        ),
        tr("the number is real but not of the host's DDR, so it is never a best value"),
        tr("compare it with rows of the same node; membench info says what each node is"),
    ),
    Flag(
        "encrypted-link",
        tr("confidential computing is on: data on the host link are encrypted"),
        tr("link results are limited by encryption on the CPU, far below the link's capability"),
        tr("compare only with runs in the same mode; nvidia-smi conf-compute -f shows it"),
    ),
    Flag(
        "page-cache",
        tr("direct reads or writes went through the page cache, or found data there"),
        tr("the number mixes memory with the disk"),
        tr("use a scratch directory on a filesystem that supports O_DIRECT"),
    ),
    Flag(
        "sync-submit",
        tr("the kernel kept the thread that submits I/Os waiting for most of the time (`submit`)"),
        tr("fewer I/Os were in flight than `qd`: the result is that of a smaller depth"),
        tr("use a scratch directory on ext4 or xfs, and look at the disk's queue (nr_requests)"),
    ),
    Flag(
        "vm",
        tr("the machine is a virtual one"),
        tr("caches and topology may be misreported and neighbours share the memory bandwidth"),
        tr("compare only with runs on the same kind of instance; prefer --rounds 10"),
    ),
    Flag(
        "cgroup-limited",
        tr("the control group stopped the process to hold its CPU quota during the run"),
        tr("bandwidths and latencies include those pauses"),
        tr("raise the CPU limit of the container, or run outside it"),
    ),
)

FLAGS: Mapping[str, Flag] = MappingProxyType({flag.code: flag for flag in _FLAGS})
"""The closed list of flag codes.  A code outside it is refused by the schema."""

INVALID_FLAGS = frozenset({"above-peak"})
"""Flags of a number that is physically impossible: the row is kept but is never a best value."""

OFF_TIER_FLAGS = INVALID_FLAGS | {"cache-served", "other-memory", "page-cache", "transition"}
"""Flags of a number that does not describe its tier: impossible numbers, and those that a cache or
another memory served.

A footprint between two tiers is one of them. Such a number is real and can be compared with others
of its kind, but no claim and no advice rests on it.
"""

NOISE_THRESHOLD: Mapping[Tier, float] = MappingProxyType(
    {tier: 0.10 if tier is Tier.SSD else 0.05 if tier is Tier.CACHE else 0.03 for tier in Tier}
)
"""Relative spread of the round values (a fraction) above which a row is flagged `noisy`."""
