"""A results file that contains every kind of row, like the file of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from membench.core.plain import dump
from membench.core.snapshot import Cache, Cpu, Gpus, Machine, Memory
from membench.core.terms import BETTER, UNIT, Metric, Stat, Status, Tier
from membench.results.plan import Plan
from membench.results.rows import relative_spread
from membench.results.schema import Row
from membench.results.sidecar import Sidecar, write_sidecar
from membench.results.table import write_rows

RUN_ID = "20260131T080412Z-7f3a"
KIB, MIB = 1024, 1024**2


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Row]:
    """A function that makes an `ok` row of three rounds around ``value``."""

    def make(tier: Tier, case: str, metric: Metric, value: float, **changes: Any) -> Row:
        rounds = (value * 0.98, value, value * 1.01)
        values: dict[str, Any] = {
            "run_id": RUN_ID,
            "machine": "box-1",
            "tier": tier,
            "case": case,
            "case_version": 1,
            "metric": metric,
            "stat": Stat.MEDIAN,
            "status": Status.OK,
            "value": value,
            "unit": UNIT[metric],
            "better": BETTER[metric],
            "rounds": len(rounds),
            "n": 24,
            "round_values": rounds,
            "spread": relative_spread(rounds),
            "backend": "cpu",
            "device": "Some CPU",
            "membench": "0.1.0+g1234e56",
            "started": "2026-01-31T08:04:12Z",
        }
        return Row(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_absent(make_result: Callable[..., Row]) -> Callable[..., Row]:
    """A function that makes a row without a value: skipped, or with another ``status``."""

    def make(tier: Tier, case: str, reason: str, **changes: Any) -> Row:
        absent = {"value": None, "round_values": (), "rounds": 0, "n": 0, "spread": None}
        values: dict[str, Any] = {"status": Status.SKIPPED, "reason": reason, **absent, **changes}
        return replace(make_result(tier, case, Metric.BANDWIDTH, 1.0), **values)

    return make


@pytest.fixture(scope="session")
def everything(make_result: Callable[..., Row], make_absent: Callable[..., Row]) -> tuple[Row, ...]:
    """Rows for every plot, and some rows without a value."""
    return (
        *_host_memory(make_result),
        *_storage(make_result),
        make_result(Tier.HBM, "hbm/read/size=1GiB", Metric.BANDWIDTH, 3021.0, peak=3350.0),
        make_absent(Tier.LINK, "link/h2d/mem=pinned/size=64MiB", "no copy engine"),
        make_absent(Tier.LINK, "link/d2h/mem=pinned/size=64MiB", "no copy engine"),
        make_absent(Tier.DDR, "ddr/wrong", "round 2: element 7 is 1.0", status=Status.FAILED),
    )


def _host_memory(make: Callable[..., Row]) -> Iterator[Row]:
    bandwidth, latency = Metric.BANDWIDTH, Metric.LATENCY
    for place, kernel in enumerate(("read", "copy", "triad")):
        for threads, value in (("1", 12.0), ("2", 21.0), ("4", 30.0), ("all", 33.0)):
            case = f"ddr/{kernel}/size=256MiB/threads={threads}/pages=thp"
            yield make(Tier.DDR, case, bandwidth, value + place, flags=("vm",))
        case = f"ddr/{kernel}/size=256MiB/threads=all/pages=thp/stores=nt"
        yield make(Tier.DDR, case, bandwidth, 40.0 + place, flags=("noisy", "vm"))
    for size, value in (("16KiB", 1.1), ("1MiB", 5.0), ("32MiB", 40.0)):
        yield make(Tier.CACHE, f"host/chase/size={size}/pages=thp", latency, value)
    for pages, value in (("thp", 90.0), ("4k", 120.0)):
        yield make(Tier.DDR, f"host/chase/size=256MiB/pages={pages}", latency, value)
    for reads, pause, value in ((100, 0, 30.0), (100, 2000, 4.0), (50, 0, 30.0), (50, 2000, 4.0)):
        case = f"host/loaded/size=256MiB/reads={reads}/pause={pause}"
        yield make(Tier.DDR, case, bandwidth, value)
        yield make(Tier.DDR, case, latency, 90.0 + 3 * value)


def _storage(make: Callable[..., Row]) -> Iterator[Row]:
    ssd: dict[str, Any] = {"backend": "storage"}
    for pattern in ("rand", "seq"):
        for block, value in (("4KiB", 0.9), ("64KiB", 2.4), ("1MiB", 3.2), ("4MiB", 3.3)):
            case = f"ssd/read/pattern={pattern}/block={block}/qd=32"
            yield make(Tier.SSD, case, Metric.BANDWIDTH, value, **ssd)
    for depth, iops, p99 in ((1, 11e3, 120e3), (4, 42e3, 130e3), (32, 220e3, 310e3)):
        case = f"ssd/read/pattern=rand/block=4KiB/qd={depth}"
        yield make(Tier.SSD, case, Metric.IOPS, iops, **ssd)
        yield make(Tier.SSD, case, Metric.LATENCY, p99 / 2, stat=Stat.P50, **ssd)
        yield make(Tier.SSD, case, Metric.LATENCY, p99, stat=Stat.P99, **ssd)
    for block, value in (("16KiB", 1.4), ("1MiB", 2.9)):
        case = f"paging/ssd-ddr/block={block}/pattern=rand"
        yield make(Tier.SSD, case, Metric.BANDWIDTH, value, **ssd)


@pytest.fixture(scope="session")
def with_gpu(everything: tuple[Row, ...], make_result: Callable[..., Row]) -> tuple[Row, ...]:
    """The rows of ``everything``, and made-up rows like those of a GPU run."""
    return (*everything, *_gpu(make_result))


def _gpu(make: Callable[..., Row]) -> Iterator[Row]:
    gpu: dict[str, Any] = {"backend": "cuda", "device": "NVIDIA H100 80GB HBM3"}
    bandwidth, latency = Metric.BANDWIDTH, Metric.LATENCY
    for size, value in (("1MiB", 5500.0), ("16MiB", 5400.0), ("256MiB", 2900.0)):
        yield make(Tier.HBM, f"hbm/copy/size={size}", bandwidth, value, **gpu)
    for size, value in (("64KiB", 30.0), ("8MiB", 200.0), ("512MiB", 560.0)):
        yield make(Tier.HBM, f"gpu/chase/size={size}", latency, value, **gpu)
    yield make(Tier.HBM, "hbm/read/size=4GiB", bandwidth, 3050.0, **gpu)
    yield make(Tier.GPU, "gpu/gemm/m=8192/dtype=bf16", Metric.FLOPS, 700e3, **gpu)
    for way, value in (("h2d", 54.0), ("d2h", 52.0)):
        for size, share in (("64KiB", 0.1), ("1MiB", 0.6), ("64MiB", 1.0)):
            case = f"link/{way}/mem=pinned/size={size}"
            yield make(Tier.LINK, f"{case}/engine=ce", bandwidth, value * share, **gpu)
    for method, values in (("batch", (7.0, 26.0, 39.0)), ("sm", (22.0, 30.0, 34.0))):
        for block, value in zip(("16KiB", "28KiB", "64KiB"), values, strict=True):
            case = f"kv/h2d/block={block}/count=1024/method={method}/order=random"
            yield make(Tier.LINK, case, bandwidth, value, **gpu)
    for source, target, value in (("0", "1", 380.0), ("1", "0", 377.0), ("0", "2", 190.0)):
        case = f"nvlink/d2d_read_ce/src={source}/dst={target}"
        yield make(Tier.LINK, case, bandwidth, value, **gpu)
    yield make(Tier.LINK, "zerocopy/read/size=1GiB", bandwidth, 50.0, **gpu)
    for block, value in (("16KiB", 1.2), ("1MiB", 5.5)):
        case = f"paging/ssd-hbm/block={block}/qd=8/path=bounce"
        yield make(Tier.SSD, case, bandwidth, value, **gpu)


@pytest.fixture(scope="session")
def with_tiers(with_gpu: tuple[Row, ...], make_result: Callable[..., Row]) -> tuple[Row, ...]:
    """The rows of ``with_gpu``, and rows for derived capacities, levels, knees and conflicts."""
    return (*with_gpu, *_tiers(make_result))


def _tiers(make: Callable[..., Row]) -> Iterator[Row]:
    gpu: dict[str, Any] = {"backend": "cuda", "device": "NVIDIA H100 80GB HBM3"}
    bandwidth, latency = Metric.BANDWIDTH, Metric.LATENCY
    for place, size in enumerate(("32KiB", "64KiB", "128KiB", "1MiB", "2MiB", "4MiB", "8MiB")):
        case = f"gpu/chase/size={size}/order=random/hint=plain"
        yield make(Tier.L1 if place < 3 else Tier.L2, case, latency, 18.0 if place < 3 else 140.0)
        yield make(
            Tier.L1,
            f"l1/read/size={size}/hint=plain",
            bandwidth,
            3e4 if place < 3 else 5500.0,
            **gpu,
        )
    levels = ((140.0,) * 60 + (215.0,) * 40,) * 3
    yield make(Tier.L2, "l2/map/size=8MiB", latency, 165.0, samples=levels, n=300, **gpu)
    for load, gbs, ns in ((10, 100.0, 400.0), (80, 2500.0, 520.0), (100, 2900.0, 1100.0)):
        case = f"hbm/loaded/size=1GiB/reads=100/load={load}/sms=100"
        yield make(Tier.HBM, case, bandwidth, gbs, **gpu)
        yield make(Tier.HBM, case, latency, ns, **gpu)
    yield make(Tier.HBM, "hbm/gather/size=4GiB/page=4KiB/table=uniform", bandwidth, 2440.0, **gpu)
    for stride, value in ((1, 3e4), (8, 3750.0)):
        conflict = {"conflict": str(stride)}
        case = f"smem/read/width=4/stride={stride}"
        yield make(Tier.SMEM, case, bandwidth, value, detail=conflict, **gpu)


@pytest.fixture(scope="session")
def machine() -> Machine:
    """A machine of four CPUs with three levels of cache."""
    caches = tuple(
        Cache(level, "unified" if level > 1 else "data", size, 64, (0, 1))
        for level, size in ((1, 32 * KIB), (2, MIB), (3, 32 * MIB))
    )
    return Machine(
        slug="box-1",
        cpu=Cpu("Some CPU", "x86_64", (), (0, 1, 2, 3), None, 4, caches, "", ""),
        memory=Memory(2**34, 2**33, None, None, 4096, 2**21, "madvise", 0, 0, ()),
        gpus=Gpus(),
        filesystems=(),
        system="Debian",
        kernel="6.1",
        libc="glibc 2.36",
        python="3.11.7",
    )


@pytest.fixture(scope="session")
def make_file(machine: Machine) -> Callable[..., Path]:
    """A function that writes ``rows`` as the results file ``path``, by default with a sidecar."""

    def make(path: Path, rows: Sequence[Row], *, sidecar: bool = True) -> Path:
        write_rows(path, rows)
        if sidecar:
            plan = Plan(
                run_id=RUN_ID,
                machine="box-1",
                profile="quick",
                rounds=3,
                seed=7,
                timeout=60.0,
                device="auto",
                software="0.1.0+g1234e56",
                argv=("membench", "run", "--select", "ddr/*", "-o", path.name),
                started="2026-01-31T08:04:12Z",
                cases=(),
            )
            write_sidecar(path, Sidecar(plan=plan, machine=dump(machine), seconds={"total": 9.0}))
        return path

    return make


@pytest.fixture
def results(tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]) -> Path:
    return make_file(tmp_path / "a.csv", everything)
