"""Host memory benchmarks: units and byte counts, compared with other numbers in the same output."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

import pytest
from reading_files import DATA, imported, values

from membench.core.terms import BytesConvention, Tier
from membench.results.schema import Row

HOST = DATA / "host"


def of(tool: str, name: str, **given: str) -> Sequence[Row]:
    return imported(tool, HOST / name, **given)


def test_stream_is_decimal_and_counts_what_is_read_and_written() -> None:
    found = of("stream", "stream.txt")
    assert [row.case.split("/")[1] for row in found] == ["copy", "scale", "add", "triad"]
    for row, seconds in zip(found, (0.002374, 0.007813, 0.008362, 0.006846), strict=True):
        assert (
            row.bytes_moved == (3 if "add" in row.case or "triad" in row.case else 2) * 32 * 10**6
        )
        assert row.value == pytest.approx(row.bytes_moved / seconds / 1e9, rel=1e-3)
        assert row.bytes_convention is BytesConvention.RW_SUM
        assert (row.verified, row.n, row.flags) == (True, 4, ("single-round", "best-of"))
    assert found[0].case == "ddr/copy/size=31250KiB/threads=2/pages=4k/stores=plain"
    assert found[0].detail["assumed"] == "pages,stores"
    assert "threads=all" in of("stream", "stream.txt", threads="all")[0].case


def test_stream_that_fails_its_own_check_is_not_verified() -> None:
    text = (HOST / "stream.txt").read_text()
    broken = text.replace("Solution Validates", "Failed Validation on array a[]")
    assert {row.verified for row in imported("stream", broken)} == {False}
    old = (
        "Function      Rate (MB/s)   Avg time     Min time     Max time\nCopy:  10.0  1.0 1.0 1.1\n"
    )
    (row,) = imported("stream", f"STREAM version 5.8\nArray size = 2000000, Offset = 0\n{old}")
    assert row.case == "ddr/copy/size=15625KiB/threads=1/pages=4k/stores=plain"
    assert row.detail["assumed"] == "threads,pages,stores"


def test_stream_in_a_cache_is_not_memory_and_a_size_is_read_whole() -> None:
    text = (HOST / "stream.txt").read_text()
    small = imported("stream", re.sub(r"Array size = \d+", "Array size = 2000", text))
    assert {row.tier for row in small} == {Tier.CACHE}
    assert small[0].case == "host/stream/copy/size=16000B/threads=2/pages=4k/stores=plain"
    grouped = imported("stream", re.sub(r"Array size = \d+", "Array size = 10.000.000", text))
    assert grouped[0].case == "ddr/stream/copy/threads=2/pages=4k/stores=plain"
    spaced = imported("stream", re.sub(r"Array size = \d+", "Array size =    2000000", text))
    assert spaced[0].case == "ddr/copy/size=15625KiB/threads=2/pages=4k/stores=plain"


def test_mlc_says_what_it_could_not_do_and_lines_with_a_figure_are_counted() -> None:
    head = "Intel(R) Memory Latency Checker - v3.11\n"
    peak = (
        "Measuring Peak Injection Memory Bandwidths for the system\n"
        "ALL Reads        :\t214,030.5\nA new mix of reads : 1.5\n"
    )
    found = imported("mlc", f"{head}ERROR: no huge pages\n{peak}")
    (row,) = found
    assert (row.case, row.value) == ("ddr/mlc/test=peak/traffic=all-reads", 214.0305)
    assert found.notes == ("mlc reports: ERROR: no huge pages",)
    assert sum(found.unplaced.values()) == 1


def test_mbw_is_binary_and_counts_a_copied_byte_once() -> None:
    found = of("mbw", "mbw.txt")
    for row in found:
        method = row.case.split("=")[1].split("/")[0].upper()
        lines = re.findall(
            rf"^\d\t.*{method}\tElapsed: (\S+)", (HOST / "mbw.txt").read_text(), re.MULTILINE
        )
        rates = [32 * 2**20 / float(seconds) / 1e9 for seconds in lines]
        assert row.value == pytest.approx(statistics.median(rates), rel=2e-3)
        assert len(row.samples[0]) == row.n == 3
        assert (row.bytes_moved, row.bytes_convention) == (32 * 2**20, BytesConvention.PAYLOAD)
        assert row.detail["assumed"] == "tier"
    assert len(found) == 3
    (average,) = imported("mbw", "AVG\tMethod: MEMCPY\tElapsed: 1.0\tMB: 32.0\tCopy: 32.0 MB/s")
    assert average.value == pytest.approx(0.033554432)
    assert average.detail["statistic"] == "mean"


def test_likwid_bench_is_decimal_and_counts_what_is_read_and_written() -> None:
    copy, stream, flops = of("likwid-bench", "likwid_bench.txt")
    assert copy.value == pytest.approx(32768000000 / 2.078580 / 1e9, rel=1e-5)
    assert 512 * 64_000_000 == 32768000000  # iterations * size; the size includes both arrays
    assert (copy.case, copy.tier) == (
        "ddr/likwid-bench/test=copy/size=62500KiB/threads=1",
        Tier.DDR,
    )
    assert stream.tier is flops.tier is Tier.CACHE  # a default of 1 MB, which fits into a cache
    assert stream.detail["assumed"] == "tier"
    assert flops.unit == "GFLOP/s"
    assert of("likwid-bench", "likwid_bench.txt", tier="ddr")[1].tier is Tier.DDR


def test_sysbench_is_binary_and_counts_an_operation_once() -> None:
    found = of("sysbench", "sysbench.txt")
    rates = values(found)
    write = rates["host/sysbench/op=write/block=1MiB/scope=global/threads=1"]
    assert write == pytest.approx(26145.30 * 2**20 / 1e9)
    assert write == pytest.approx(4096 * 2**20 / 0.1560 / 1e9, rel=0.01)  # from the total time
    read = next(row for row in found if "op=read" in row.case)
    assert (read.tier, "assumed" in read.detail) == (Tier.CACHE, False)  # 1 KiB fits into any cache
    old = (
        "sysbench 0.4.12:  multi-threaded system evaluation benchmark\n\nNumber of threads: 4\n"
        "Memory block size: 1K\nMemory operations type: write\nMemory scope type: global\n"
        "Operations performed: 1024 (10.00 ops/sec)\n\n100.00 MB transferred (50.00 MB/sec)\n"
    )
    (row,) = imported("sysbench", old)
    assert row.value == pytest.approx(50 * 2**20 / 1e9)
    assert row.case == "host/sysbench/op=write/block=1KiB/scope=global/threads=4"


def test_tinymembench_is_decimal_and_its_latencies_are_on_top_of_l1() -> None:
    found = of("tinymembench", "tinymembench.txt")
    rates = values(found)
    assert rates["ddr/tinymembench/test=standard-memcpy"] == pytest.approx(5.2869)
    latencies = values(found, "latency")
    name = "ddr/tinymembench/test=latency-above-l1/reads={}/block=64MiB/pages=nohugepage"
    assert (latencies[name.format("single")], latencies[name.format("dual")]) == (232.8, 313.1)
    assert not any(case.startswith("host/chase") for case in latencies)
    zero = imported(
        "tinymembench", "tinymembench v0.4.9\n  1024 :    0.0 ns          /     0.5 ns \n"
    )
    assert len(zero) == 1


def test_stress_ng_is_binary_and_its_forms_agree() -> None:
    text, yaml = (values(of("stress-ng", f"stress_ng.{end}")) for end in ("txt", "yaml"))
    assert text.keys() == yaml.keys()
    for case, value in text.items():
        assert value == pytest.approx(yaml[case], rel=1e-4)
    stream = text["ddr/stress-ng/stressor=stream/method=memory-read-rate"]
    assert stream == pytest.approx(3212.60 * 2**20 / 1e9)
    later = "100.00 MB per sec memory read rate (harmonic mean of 2 instances)"
    (row,) = imported("stress-ng", f"stress-ng: metrc: [1] stream  {later}")
    assert (row.case, row.detail["instances"]) == (
        "ddr/stress-ng/stressor=stream/method=memory-read-rate",
        "2",
    )
    older = "stress-ng: info:  [12] stress-ng-memrate:  write64:      100.00 MB/sec"
    (row,) = imported("stress-ng", older)
    assert row.value == pytest.approx(0.1048576)


MLC = (DATA / "host/mlc.txt").read_text()


def test_mlc_every_section() -> None:
    found = imported("mlc", MLC)
    assert not found.unplaced
    idle = "ddr/mlc/test=idle-latency/access=random"
    loaded = "ddr/mlc/test=loaded/traffic=read-only/delay"
    remote = "host/mlc/test=c2c/kind=remote-socket-l2-l2-hitm-latency-data-address-homed-in"
    remote += "-writer-socket"
    assert values(found, "latency") == {
        f"{idle}/from=0/to=0": 80.5,
        f"{idle}/from=0/to=1": 140.5,
        f"{idle}/from=1/to=0": 141.5,
        f"{idle}/from=1/to=1": 81.5,
        f"{loaded}=00000": 300.25,
        f"{loaded}=20000": 82.25,
        "host/mlc/test=c2c/kind=local-socket-l2-l2-hit": 50.5,
        "host/mlc/test=c2c/kind=local-socket-l2-l2-hitm": 51.5,
        f"{remote}/from=0/to=1": 115.5,
        f"{remote}/from=1/to=0": 116.5,
    }
    matrix = "ddr/mlc/test=bandwidth/traffic=read-only"
    assert values(found) == {
        "ddr/mlc/test=peak/traffic=all-reads": 150.0005,
        "ddr/mlc/test=peak/traffic=3:1-reads-writes": 140.0005,
        "ddr/mlc/test=peak/traffic=stream-triad-like": 130.0005,
        f"{matrix}/from=0/to=0": 70.0005,
        f"{matrix}/from=0/to=1": 30.0005,
        f"{matrix}/from=1/to=0": 30.0015,
        f"{matrix}/from=1/to=1": 70.0015,
        f"{loaded}=00000": 150.0015,
        f"{loaded}=20000": 2.0005,
    }
    assert {row.tier for row in found if "c2c" in row.case} == {Tier.CACHE}
    (alone,) = imported(
        "mlc",
        "Intel(R) Memory Latency Checker - v3.5\n"
        "Each iteration took 202.0 core clocks ( 80.8    ns)",
    )
    assert (alone.case, alone.value) == ("ddr/mlc/test=idle-latency", 80.8)
    cut = imported("mlc", MLC.replace("30001.5\t70001.5", "30001.5"))
    assert len(cut) == len(found) - 2
    assert sum(cut.unplaced.values()) == 1
