"""The vocabulary of results files: tiers, metrics, statistics, states and flags."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from membench.core.messages import tr
from membench.core.record import record


class Word(StrEnum):
    """A word of a closed list. Its hash is the hash of its text, which is faster than Enum's."""

    __hash__ = str.__hash__


class Tier(Word):
    """The level of the memory hierarchy that a case measures."""

    SMEM = "smem"
    L1 = "l1"
    L2 = "l2"
    HBM = "hbm"  # GPU memory of any kind; the column `detail` contains the kind
    GPU = "gpu"  # launch, compute, atomics
    LINK = "link"
    CACHE = "cache"  # host caches
    DDR = "ddr"
    SSD = "ssd"


class Metric(Word):
    """The measured quantity. Each metric has one unit and one direction of improvement."""

    BANDWIDTH = "bandwidth"
    LATENCY = "latency"
    IOPS = "iops"
    RATE = "rate"
    FLOPS = "flops"
    ENERGY = "energy"


class Stat(Word):
    """The statistic that reduces the samples of a round to one number."""

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
    """Whether a higher or a lower value is better; stored in every row."""

    HIGHER = "higher"
    LOWER = "lower"


class BytesConvention(Word):
    """How `bytes_moved` counts reads and writes."""

    RW_SUM = "rw_sum"  # STREAM kernels: bytes read + bytes written, no write-allocate
    PAYLOAD = "payload"  # copies between tiers: each byte once


class CacheState(Word):
    """Whether the caches were flushed before each sample (cold) or not (hot)."""

    COLD = "cold"
    HOT = "hot"


class PeakBasis(Word):
    """The origin of the value in the column `peak`."""

    SPEC = "spec"
    QUERIED = "queried"
    MEASURED = "measured"


class ClaimVerdict(StrEnum):
    """The possible verdicts on a claim of the thesis."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable here"


class ClaimClass(StrEnum):
    """The kind of evidence that decides a claim of the thesis."""

    MEASURED = "M"  # a statistic of measurements
    MODELLED = "D"  # a model whose inputs are measurements or assumptions
    RECORD = "P"  # dated public records
    OUT_OF_SCOPE = "X"


class Badge(StrEnum):
    """A mark on a verdict that uses more than membench's own measurements."""

    CITED = "cited"  # published values
    IMPORTED = "imported"  # measurements of another tool
    SUBSTITUTED = "substituted"  # an assumption in place of a missing measurement
    OVERRIDDEN = "own assumptions"  # assumptions of the user in place of built-in assumptions


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
"""Tier by the first component of a case id; a bench may declare another tier."""


@record
class Flag:
    """A reason to trust a number less.

    Attributes:
        code: the code in the column `flags`.
        meaning: the observation for which membench sets the flag.
        weight: the consequence for the number.
        remedy: an action that the user can take.
    """

    code: str
    meaning: str
    weight: str
    remedy: str


_FLAGS = (
    Flag(
        "noisy",
        tr("the rounds differ by more than the tier's threshold (spread = 1.4826 MAD / median)"),
        tr("a difference from another run that is smaller than the spread may be noise"),
        tr("close other programs and run again with --rounds 10"),
    ),
    Flag(
        "throttled",
        tr("the device lowered its clock while the case was measured (power, heat or a set limit)"),
        tr("the result shows the throttled state of the device, not its capability"),
        tr("cool the device, or raise its power or clock limit, then run again"),
    ),
    Flag(
        "above-peak",
        tr("the result is better than the theoretical peak of the tier"),
        tr(
            "the result is invalid; the usual cause is that the data came from a memory that is "
            "faster than this tier"
        ),
        tr("use a larger size, and please report the case to the developers"),
    ),
    Flag(
        "cache-served",
        tr(
            "each array (on a GPU: all arrays together) is smaller than four times the last-level "
            "caches that the case can use"
        ),
        tr(
            "caches may have served some of the traffic (STREAM requires arrays of at least four "
            "times the size of the caches)"
        ),
        tr(
            "free some memory and run again with size=auto, or give a larger size, such as "
            "membench run --set 'ddr/*:size=4GiB' (on a GPU: --set 'hbm/*:size=4GiB')"
        ),
    ),
    Flag(
        "cache-unknown",
        tr(
            "no pointer chase confirmed the reported cache sizes: the system reports none, the "
            "chase shows other sizes, or the chase could not be measured"
        ),
        tr(
            "the size of the arrays may be wrong: if a cache is larger than reported, this cache "
            "may have served some of the traffic"
        ),
        tr(
            "look at the cache sizes in membench doctor, or measure with arrays that are larger "
            "than most caches: --set 'ddr/*:size=4GiB'"
        ),
    ),
    Flag(
        "transition",
        tr(
            "the latency is between the latencies of two tiers: one tier serves some of the loads, "
            "and the next tier serves the other loads"
        ),
        tr(
            "the number does not describe a single tier, so membench never shows it as the best "
            "result of a tier"
        ),
        tr("also measure the next smaller and larger sizes: membench run --select '*/chase'"),
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
        tr("the best repetition is better than the median that membench reports"),
        tr(
            "compare with the column 'max' of a run (for a latency: 'min'), or let the other tool "
            "report a median"
        ),
    ),
    Flag(
        "short-run",
        tr(
            "the other tool measured for less than 100 ms, and divided the bytes by a time in "
            "whole milliseconds"
        ),
        tr(
            "the rate may be wrong by more than 1 %; if the run took only a few ms, the rate may "
            "be several times too high or too low"
        ),
        tr("let the other tool measure for some seconds"),
    ),
    Flag(
        "not-converged",
        tr("sampling reached its limit of time or samples before it met its stopping rule"),
        tr("the median is less certain than the medians of other cases"),
        tr("run again on a quieter machine, or with --rounds 10"),
    ),
    Flag(
        "unpinned",
        tr("the kernel did not let membench pin its threads to CPUs"),
        tr(
            "threads may have moved to other CPUs or shared a core: the result may be below the "
            "machine's capability"
        ),
        tr(
            "allow sched_setaffinity (systemd: SystemCallFilter= without ~@resources), "
            "or run membench outside of the sandbox"
        ),
    ),
    Flag(
        "few-huge-pages",
        tr("the case asked for transparent huge pages, but less than 90 % of its memory got them"),
        tr("latencies and bandwidths include page-table walks that huge pages would avoid"),
        tr(
            "allow huge pages with: echo madvise | sudo tee "
            "/sys/kernel/mm/transparent_hugepage/enabled (membench doctor shows other obstacles)"
        ),
    ),
    Flag(
        "unpinned-numa",
        tr("the measuring process could not be bound to the memory node of its device"),
        tr("the data may have crossed the link between sockets"),
        tr("start membench with numactl, or in a container that may use the CPUs of that node"),
    ),
    Flag(
        "busy-cpu",
        tr(
            "while the case was measured, other processes used the CPUs (`others`), or the "
            "hypervisor gave CPU time to other guests (`steal`)"
        ),
        tr("the machine was shared: the result may be far below the machine's capability"),
        tr(
            "close other programs (membench doctor names them), or use a dedicated instance; to "
            "compare two settings, measure them in turns: membench run --versus env=NAME=VALUE"
        ),
    ),
    Flag(
        "busy-gpu",
        tr("another process used the GPU during the run"),
        tr("the result shows only a share of the device's capability"),
        tr("stop the other process (nvidia-smi names it) and run again"),
    ),
    Flag(
        "link-downtrained",
        tr("the host link ran below its maximum width or speed while under load"),
        tr("every link result of this run is below the machine's capability"),
        tr(
            "look at GPU Link Info in nvidia-smi -q, reseat the card, and check the firmware's "
            "slot settings"
        ),
    ),
    Flag(
        "other-memory",
        tr(
            "the memory is not ordinary host memory, but GPU memory, persistent memory, or memory "
            "of a node without processors"
        ),
        tr(
            "the number is valid for this memory, but membench never shows it as the best "
            "result of DDR"
        ),
        tr("compare only rows of the same memory node; membench info describes each node"),
    ),
    Flag(
        "encrypted-link",
        tr("confidential computing is on: data on the host link are encrypted"),
        tr("the CPU encrypts the data, so link results are far below the link's capability"),
        tr("compare only with runs in the same mode; nvidia-smi conf-compute -f shows the mode"),
    ),
    Flag(
        "page-cache",
        tr("reads found data in the page cache, or direct I/O went through the page cache"),
        tr("the number describes a mix of memory and disk"),
        tr("use a scratch directory on a filesystem that supports O_DIRECT"),
    ),
    Flag(
        "sync-submit",
        tr("the thread that submits I/Os waited in the kernel most of the time (`submit`)"),
        tr("fewer I/Os than `qd` were in flight: the result describes a smaller queue depth"),
        tr("use a scratch directory on ext4 or xfs, and look at the disk's queue (nr_requests)"),
    ),
    Flag(
        "vm",
        tr("the machine is a virtual machine"),
        tr(
            "the reported caches and topology may be wrong, and other virtual machines may use "
            "the memory bandwidth of the same host"
        ),
        tr("compare only with runs on the same kind of instance; prefer --rounds 10"),
    ),
    Flag(
        "cgroup-limited",
        tr(
            "during the run, the kernel paused the process because of the CPU quota of the control "
            "group"
        ),
        tr("bandwidths and latencies include the pauses that the CPU quota causes"),
        tr("raise the CPU limit of the container, or run membench outside the container"),
    ),
)

FLAGS: Mapping[str, Flag] = MappingProxyType({flag.code: flag for flag in _FLAGS})
"""All flags by code. A results file with another code violates the schema."""

MEMORY = frozenset({Tier.DDR, Tier.HBM})
"""The tiers that need arrays larger than the caches."""

INVALID_FLAGS = frozenset({"above-peak"})
"""Flags of physically impossible numbers. A row with such a flag is never shown as a best value."""

OFF_TIER_FLAGS = INVALID_FLAGS | {"cache-served", "other-memory", "page-cache", "transition"}
"""Flags of numbers that do not describe the tier of the row.

membench compares rows with such a flag with each other, but no claim and no advice uses these rows.
"""

NOISE_THRESHOLD: Mapping[Tier, float] = MappingProxyType(
    {tier: 0.10 if tier is Tier.SSD else 0.05 if tier is Tier.CACHE else 0.03 for tier in Tier}
)
"""Largest relative spread of the round values (a fraction) without the flag `noisy`, by tier."""

REACH = "cache_bytes"
"""Key in `detail` of a pointer chase: bytes of the CPU's last-level cache, or of the GPU's L2."""
