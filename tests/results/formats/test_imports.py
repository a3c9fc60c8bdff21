"""Real outputs of other tools as rows: units, missing values, and ids of equal membench cases."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.benches import registry
from membench.core.case_id import split_case
from membench.core.errors import MembenchError, SchemaError, UsageError
from membench.core.terms import Metric, PeakBasis, Stat, Status, Tier
from membench.machine import snapshot
from membench.results.formats import IMPORTS, importer
from membench.results.formats.figures import Origin, number
from membench.results.formats.recognise import format_of
from membench.results.schema import Row, check

DATA = Path(__file__).parent / "data"


def rows(tool: str, name: str | bytes, **given: str) -> dict[tuple[str, str, str], Row]:
    """(case, metric, statistic) -> row, for an output of ``tool``."""
    data = name if isinstance(name, bytes) else (DATA / name).read_bytes()
    origin = Origin(tool, "20260101T000000Z-ab", "box", "2026-01-01T00:00:00Z", given)
    found = importer(tool)(data, origin)
    for row in found:
        check(row)
        if tool != "cited":
            assert row.backend == f"import:{tool}"
    return {(row.case, row.metric, row.stat): row for row in found}


def edited(name: str, **changes: Any) -> bytes:
    content = json.loads((DATA / name).read_bytes())
    content.update(changes)
    return json.dumps(content).encode()


def our_cases() -> set[str]:
    return {case.id for case in registry().cases("full", snapshot())}


OUTPUTS = [
    pytest.param(tool, file, {"tier": tier} if tier else {}, id=f"{file.name}-{tier}")
    for file in sorted(DATA.rglob("*"))
    if file.is_file() and (tool := format_of(file.read_bytes()))
    for tier in (("ddr", "hbm") if tool == "babelstream" else ("",))
    if file.name != "nvb-04-top-level-error.json"  # has no rows
]


@pytest.mark.parametrize(("tool", "file", "given"), OUTPUTS)
def test_a_run_can_measure_every_imported_case_with_our_name(
    tool: str, file: Path, given: dict[str, str]
) -> None:
    benches, machine = registry(), snapshot()
    for case in {case for case, _, _ in rows(tool, file.read_bytes(), **given)}:
        if split_case(case)[0] in benches.benches:
            of_first_gpu = re.sub(r"/gpu=\d+$", "", case)
            asked = benches.case(of_first_gpu, machine)
            assert asked is not None
            assert asked.id == of_first_gpu


@pytest.mark.parametrize("elements", [2**25, 4_000_000, 10_000_000, 80_000_000, 10**8])
def test_a_run_can_measure_the_usual_sizes_of_stream(elements: int) -> None:
    text = (DATA / "host" / "stream.txt").read_text()
    of_size = re.sub(r"Array size = \d+", f"Array size = {elements}", text)
    for case, _, _ in rows("stream", of_size.encode()):
        asked = registry().case(case, snapshot())
        assert asked is not None
        assert asked.id == case


H2D = "link/h2d/size=512MiB/mem=pinned/engine=ce/streams=1"


def test_nvbandwidth_ids_are_ours_where_the_size_is_one_of_ours() -> None:
    given = {"size": "256MiB"}
    found = rows("nvbandwidth", "nvbandwidth.json", **given)
    ours = our_cases()
    assert H2D.replace("512", "256") in ours
    assert {case for case, _, _ in found if case.startswith(("link/h2d", "link/d2h"))} <= ours
    assert "assumed" not in found[H2D.replace("512", "256"), "bandwidth", "median"].detail


def test_nvbandwidth_local_copies_count_each_byte_once() -> None:
    test = {
        "name": "device_local_copy",
        "status": "Passed",
        "bandwidth_description": "memcpy local GPU(column) bandwidth (GB/s)",
        "bandwidth_matrix": [["1450.2"]],
    }
    content = {"nvbandwidth": {"testcases": [test]}}
    (row,) = rows("nvbandwidth", json.dumps(content).encode(), size="1GiB").values()
    assert (row.case, row.tier) == ("hbm/d2d/size=1GiB/count=payload", "hbm")
    assert registry().case(row.case, snapshot()) is not None


def test_nvbandwidth_cells_are_text_and_their_unit_stands_in_the_description() -> None:
    found = rows("nvbandwidth", "nvbandwidth.json")
    h2d = found[H2D, "bandwidth", "median"]
    assert h2d.value == 12.3964
    assert h2d.detail == {"statistic": "median", "assumed": "size"}
    assert (h2d.driver, h2d.cuda, h2d.rounds, h2d.flags) == ("565.02", "12.7", 1, ("single-round",))
    assert found[H2D.replace("h2d", "d2h"), "bandwidth", "median"].value == 13.2001
    assert found[H2D.replace("ce", "sm"), "bandwidth", "median"].value == 12.3996
    latency = found["link/nvbandwidth/test=host_device_latency_sm/src=0/dst=0", "latency", "median"]
    assert (latency.value, latency.unit) == (649.879, "ns")
    one_way = found[
        "link/nvbandwidth/test=host_to_device_bidirectional_memcpy_ce/src=0/dst=0",
        "bandwidth",
        "median",
    ]
    # Our case is the sum of both directions, so it is another case.
    assert one_way.detail["counts"] == "one-direction"
    waived = found[
        "link/nvbandwidth/test=device_to_device_memcpy_read_ce/src=0/dst=0", "bandwidth", "median"
    ]
    assert (waived.status, waived.reason) == (Status.SKIPPED, "nvbandwidth reports: Waived")


def test_nvbandwidth_absent_cells_are_no_figures() -> None:
    found = rows("nvbandwidth", "nvbandwidth_two_gpus.json")
    peer = "link/nvbandwidth/test=device_to_device_memcpy_write_ce/src={}/dst={}"
    assert {case for case, _, _ in found} == {
        H2D,
        f"{H2D}/gpu=1",
        peer.format(0, 1),
        peer.format(1, 0),
    }


def test_nvbandwidth_an_error_is_a_failed_row() -> None:
    test = {"name": "host_to_device_memcpy_ce", "status": "Error", "error": "out of | memory"}
    content = {"nvbandwidth": {"testcases": [test]}}
    (row,) = rows("nvbandwidth", json.dumps(content).encode()).values()
    assert (row.status, row.reason) == (Status.FAILED, "out of | memory")


@pytest.mark.parametrize(
    ("name", "copy"), [("babelstream.csv", 27.1893), ("babelstream_gib.csv", 19.7154 * 1.073741824)]
)
def test_babelstream_units_are_those_of_the_header(name: str, copy: float) -> None:
    found = rows("babelstream", name, tier="ddr")
    row = found["ddr/copy/size=256MiB/threads=all/pages=4k/stores=plain", "bandwidth", "median"]
    assert row.value == pytest.approx(copy, rel=1e-9)
    assert row.unit == "GB/s"
    assert "best-of" in row.flags
    assert row.n == 20
    assert row.max == pytest.approx(copy, rel=1e-6)
    assert row.bytes_moved == 2 * 33554432 * 8
    assert row.detail["assumed"] == "threads,pages,stores"
    # Run times and bandwidths in the file agree, whatever the unit.
    line = (DATA / name).read_text().splitlines()[1].split(",")
    assert row.value == pytest.approx(row.bytes_moved / float(line[5]) / 1e9, rel=1e-4)
    assert {case.split("/")[1] for case, _, _ in found} == {"copy", "scale", "add", "triad", "dot"}
    assert registry().case(row.case, snapshot()) is not None


def test_babelstream_says_what_it_does_not_know() -> None:
    with pytest.raises(UsageError, match="does not name the memory tier") as error:
        rows("babelstream", "babelstream.csv")
    assert "--set tier=hbm" in error.value.hint
    with pytest.raises(UsageError, match="does not measure the tier 'ssd'"):
        rows("babelstream", "babelstream.csv", tier="ssd")
    gpu = rows("babelstream", "babelstream.csv", tier="hbm", device="Some GPU")
    row = gpu["hbm/copy/size=256MiB/vec=16", "bandwidth", "median"]
    assert (row.tier, row.device) == (Tier.HBM, "Some GPU")
    known = rows("babelstream", "babelstream.csv", tier="ddr", pages="thp", threads="1")
    row = known["ddr/copy/size=256MiB/threads=1/pages=thp/stores=plain", "bandwidth", "median"]
    assert row.detail["assumed"] == "stores"


def test_fio_bandwidth_is_bytes_and_latency_is_clat() -> None:
    found = rows("fio", "fio.json")
    job = json.loads((DATA / "fio.json").read_bytes())["jobs"][0]["read"]
    case = "ssd/read/pattern=rand/block=4KiB/qd=32/pages=4k"
    bandwidth = found[case, "bandwidth", "median"].value
    assert bandwidth == job["bw_bytes"] / 1e9
    assert bandwidth == pytest.approx(job["bw"] * 1024 / 1e9, rel=1e-5)  # bw is in KiB/s
    iops = found[case, "iops", "median"].value
    assert iops is not None
    assert iops == job["iops"]
    assert bandwidth == pytest.approx(iops * 4096 / 1e9, rel=1e-3)
    assert found[case, "latency", "p99"].value == job["clat_ns"]["percentile"]["99.000000"]
    assert {stat for name, metric, stat in found if (name, metric) == (case, "latency")} == {
        Stat.P50,
        Stat.P95,
        Stat.P99,
        Stat.P999,
    }
    cases = {name for name, _, _ in found}
    assert cases == {
        case,
        "ssd/write/pattern=seq/block=1MiB/qd=4",
        "ssd/fio/job=mixed/op=read",
        "ssd/fio/job=mixed/op=write",
    }
    huge = rows("fio", "fio.json", pages="thp")
    assert (case.replace("4k", "thp"), "iops", "median") in huge
    assert {case.replace("4k", "thp"), "ssd/write/pattern=seq/block=1MiB/qd=4"} <= our_cases()


@pytest.mark.parametrize(
    "change", [{"direct": "0"}, {"ioengine": "mmap"}, {"numjobs": "4"}, {"bsrange": "4k-8k"}]
)
def test_fio_a_job_that_means_something_else_keeps_its_name(change: dict[str, str]) -> None:
    options = {"direct": "1", "ioengine": "libaio", **change}
    found = rows("fio", edited("fio.json", **{"global options": options}))
    assert {case.split("/")[1] for case, _, _ in found} == {"fio"}


def test_fio_a_job_with_an_error_failed() -> None:
    content = json.loads((DATA / "fio.json").read_bytes())
    content["jobs"][0]["error"] = 5
    found = rows("fio", json.dumps(content).encode())
    row = found["ssd/read/pattern=rand/block=4KiB/qd=32/pages=4k", "iops", "median"]
    assert (row.status, row.reason) == (Status.FAILED, "fio reports: error 5")


def test_nvbench_text_is_read_and_what_was_skipped_stays() -> None:
    found = rows("nvbench", "nvbench.json")
    time = found["gpu/nvbench/simple", "latency", "median"]
    assert time.value == pytest.approx(1003471.58, rel=1e-6)  # 1 ms in ns
    assert (time.n, time.device) == (499, "Quadro GV100")
    assert time.detail == {"statistic": "mean", "clock": "gpu"}
    assert found["gpu/nvbench/simple/gpu=1", "latency", "median"].device == "Quadro GP100"
    bandwidth = next(row for row in found.values() if row.metric is Metric.BANDWIDTH)
    assert bandwidth.peak == 870.4
    assert bandwidth.peak_basis is PeakBasis.QUERIED
    assert bandwidth.value is not None
    assert 0 < bandwidth.value < bandwidth.peak
    skipped = [row for row in found.values() if row.status is Status.SKIPPED]
    assert skipped[0].reason == "Not a conversion: InputType == OutputType."


def test_nvbench_null_for_infinity_is_no_figure() -> None:
    content = json.loads((DATA / "nvbench.json").read_bytes())
    for summary in content["benchmarks"][0]["states"][0]["summaries"]:
        if summary["tag"] == "nv/cold/time/gpu/mean":
            summary["data"][0]["value"] = None
    found = rows("nvbench", json.dumps(content).encode())
    assert found["gpu/nvbench/simple", "latency", "median"].detail["clock"] == "cpu"


def test_pytest_benchmark_seconds_become_nanoseconds_with_their_samples() -> None:
    found = rows("pytest-benchmark", "pytest_benchmark.json")
    row = found["pytest/test_copy.py::test_bytes_copy-65536", "latency", "median"]
    stats = json.loads((DATA / "pytest_benchmark.json").read_bytes())["benchmarks"][0]["stats"]
    assert row.value == pytest.approx(stats["median"] * 1e9)
    assert len(row.samples[0]) == row.n == stats["rounds"]
    assert row.device == "AMD EPYC"
    rate = found["pytest/test_copy.py::test_bytes_copy-65536", "bandwidth", "median"]
    assert rate.value == pytest.approx(65536 / stats["median"] / 1e9)
    assert ("pytest/test_copy.py::test_sort", "bandwidth", "median") not in found


CITED = """
schema = "membench.cited/1"
machine = "some-gpu"
device = "Some GPU"
[[figure]]
case = "hbm/copy/size=256MiB"
tier = "hbm"
metric = "bandwidth"
value = 2900
source = "a page"
peak = 3352
"""


def test_cited_figures_have_a_source_and_a_backend_of_their_own() -> None:
    (row,) = rows("cited", CITED.encode()).values()
    assert (row.backend, row.machine, row.device) == ("cited", "some-gpu", "Some GPU")
    assert row.detail == {"source": "a page"}
    assert row.peak_basis is PeakBasis.SPEC
    tomllib.loads(CITED)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "a page"', "", "hbm/copy/size=256MiB: source: missing, empty or 0"),
        ("value = 2900", "value = -1", "not a number above 0"),
        ("value = 2900", 'value = "2900"', "not a number above 0"),
        ('"bandwidth"', '"speed"', "'speed' is not a metric"),
        ("peak = 3352", "peek = 3352", "unknown key 'peek'"),
        ("membench.cited/1", "membench.cited/3", "the first line"),
        ("peak = 3352", 'trust = "a"', "unknown key 'trust'"),
        ('"Some GPU"', '"Some GPU', "not TOML"),
        ("device =", "devise =", "unknown key 'devise'"),
    ],
)
def test_cited_is_strict(old: str, new: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        rows("cited", CITED.replace(old, new).encode())


CITED_2 = (
    CITED.replace("cited/1", "cited/2")
    + """
low = 2850
high = 3000
kind = "measured"
trust = "a"
tool = "BabelStream"
conditions = "-s 134217728"
date = "2026-02-01"
seen = "file read"
quantity = "device memory copy"
unit = "GB/s"
alike = { size = ">=1GiB", vec = "any" }
"""
)


def test_cited_figures_carry_how_far_they_can_be_trusted_and_compared() -> None:
    (row,) = rows("cited", CITED_2.encode()).values()
    assert row.detail == {
        "source": "a page",
        "kind": "measured",
        "trust": "a",
        "tool": "BabelStream",
        "conditions": "-s 134217728",
        "date": "2026-02-01",
        "seen": "file read",
        "quantity": "device memory copy",
        "low": "2850",
        "high": "3000",
        "alike": "size from 1GiB, vec any",
    }
    ranged = CITED_2.replace('">=1GiB"', '"1MiB..4MiB"')
    (row,) = rows("cited", ranged.encode()).values()
    assert row.detail["alike"] == "size 1MiB to 4MiB, vec any"
    (row,) = rows("cited", f"{CITED_2}best = true\ndepth = 64\n".encode()).values()
    assert (row.flags, row.detail["depth"]) == (("best-of",), "64")
    scaled = CITED_2.replace('"GB/s"', '"TB/s"')
    (row,) = rows("cited", scaled.encode()).values()
    assert (row.value, row.peak, row.detail["low"]) == (2_900_000, 3_352_000, "2850000")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("low = 2850", "low = 2950", "not between 'low' and 'high'"),
        ("high = 3000", 'high = "much"', "'low' or 'high' is not a number"),
        ('kind = "measured"', 'kind = "guessed"', "'kind' is not one of measured, datasheet"),
        ('trust = "a"', 'trust = "d"', "'trust' is not one of a, b, c"),
        ('unit = "GB/s"', 'unit = "ns"', "'ns' is not a unit of bandwidth"),
        ('vec = "any"', "vec = 3", "'alike' is not a table"),
        ('vec = "any"', 'vec = "any; x"', "'any; x' is not a rule"),
        ('vec = "any"', 'vec = ">=1..4"', "'>=1..4' is not a rule"),
        ('{ size = ">=1GiB", vec = "any" }', '"size (>= 1 GiB)"', "'alike' is not a table"),
        ('seen = "file read"', "best = 1", "'best' is neither true nor false"),
        ('seen = "file read"', "depth = 0", "'depth' is not a whole number"),
        ("machine = ", 'names = "x"\nmachine = ', "'names' is not a list"),
        ("machine = ", "sockets = 0\nmachine = ", "'sockets' is not a whole"),
    ],
)
def test_cited_figures_of_version_2_are_strict_too(old: str, new: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message) as caught:
        rows("cited", CITED_2.replace(old, new).encode())
    assert "'cited' in docs/formats.md" in caught.value.hint


@pytest.mark.parametrize(
    ("tool", "case", "value", "peak"),
    [
        # A read of a GH200 that was listed as H200: 81 % of the peak, where 91 to 98 % are normal.
        ("gpu-benches gpu-l2-cache", "hbm/read/size=1GiB/vec=16", 3888, 4800),
        # A host whose copies are 15 % slower than on all other hosts.
        ("nvbandwidth", "link/d2h/size=512MiB/mem=pinned/engine=ce/streams=1", 46.8, 63),
        # A tool that does not saturate the memory.
        ("mt4g", "hbm/read/size=1GiB/vec=16", 2750, 3352),
        ("mt4g", "hbm/read/size=1GiB/vec=16", 1179, 1555),
        # A value above the peak, and a value in another unit.
        ("BabelStream", "hbm/triad/size=256MiB/vec=16", 3400, 3352),
        ("BabelStream", "hbm/triad/size=256MiB/vec=16", 2.97, 3352),
    ],
)
def test_a_figure_out_of_its_tools_usual_range_is_refused(
    tool: str, case: str, value: float, peak: float
) -> None:
    text = f"""schema = "membench.cited/2"
[[figure]]
case = "{case}"
tier = "{"link" if case.startswith("link") else "hbm"}"
metric = "bandwidth"
value = {value}
peak = {peak}
source = "a page"
tool = "{tool}"
"""
    with pytest.raises(SchemaError, match=f"of the peak, but {tool} usually reaches") as refused:
        rows("cited", text.encode())
    assert "check the machine, the unit" in refused.value.hint
    assert len(rows("cited", text.replace(tool, "a tool that nobody knows").encode())) == 1
    assert len(rows("cited", text.replace(f"peak = {peak}\n", "").encode())) == 1


@pytest.mark.parametrize("tool", IMPORTS)
@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff\xfe\x00", b"{" * 100_000])
def test_what_is_no_output_of_the_tool_is_refused_in_one_line(tool: str, data: bytes) -> None:
    with pytest.raises(MembenchError) as error:
        rows(tool, data, tier="ddr")
    assert "\n" not in str(error.value)


@given(st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers()))
def test_a_number_is_finite_and_above_0_or_absent(value: object) -> None:
    found = number(value)
    assert found is None or 0 < found < float("inf")


@pytest.mark.parametrize("value", ["N/A", "", "inf", "nan", None, 0, "0.00", -1, True, [1]])
def test_what_stands_for_absent_is_absent(value: object) -> None:
    assert number(value) is None
