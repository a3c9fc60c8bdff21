"""Other formats of nvbandwidth, the CUDA samples and gdsio.

The files were written by hand from the tools' source code.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading_files import DATA, imported, values

from membench.benches import registry
from membench.core.axes import Value
from membench.core.terms import BytesConvention, Status, Tier
from membench.machine import snapshot

LOG = (DATA / "nvbandwidth.txt").read_text()


def test_nvbandwidth_text_of_the_newest_version() -> None:
    found = imported("nvbandwidth", LOG)
    rates = values(found)
    h2d = "link/h2d/size=512MiB/mem=pinned/engine=ce/streams=1"
    parts = "link/nvbandwidth/test=device_to_device_bidirectional_memcpy_write_ce/part"
    assert (rates[h2d], rates[f"{h2d}/gpu=1"]) == (55.59, 54.6)
    assert rates[f"{parts}=write1/src=0/dst=1"] == 360.1
    assert rates[f"{parts}=total/src=1/dst=0"] == 724.2
    assert rates["hbm/nvbandwidth/test=device_local_read_sm/src=0/dst=1"] == 3081.1
    assert rates["hbm/d2d/size=512MiB/count=payload/gpu=1"] == 1501.1
    assert {row.tier for row in found if "device_local" in row.case} == {Tier.HBM}
    devices = {row.case: row.device for row in found}
    assert devices[f"{h2d}/gpu=1"] == "NVIDIA Example X2"
    assert devices[f"{parts}=write1/src=0/dst=1"] == "NVIDIA Example X1 and NVIDIA Example X2"
    failed = {row.case.split("test=")[-1]: row.reason for row in found if row.reason}
    assert failed == {
        "all_to_host_memcpy_sm/src=0/dst=0": "CUDA_ERROR_OUT_OF_MEMORY out of memory",
        "link/d2h/size=512MiB/mem=pinned/engine=sm/streams=1": (
            "nvbandwidth was still running this test when the file ended"
        ),
    }
    assert {(row.driver, row.cuda) for row in found} == {("610.57.04", "13.3")}
    assert sum(found.unplaced.values()) == 1  # the waived test has no name


def nvb(*tests: dict[str, Any], **more: Any) -> str:
    return json.dumps({"nvbandwidth": {"testcases": tests, **more}})


def passed(
    name: str, *cells: list[str], text: str = "GPU(row) (GB/s)", **more: Any
) -> dict[str, Any]:
    matrix = {"bandwidth_matrix": cells, "bandwidth_description": text}
    return {"name": name, "status": "Passed", **matrix, **more}


@pytest.mark.parametrize(
    "name", ["device_local_copy_sm", "device_local_read_sm", "device_local_copy_tma"]
)
def test_nvbandwidth_what_is_local_is_never_the_link(name: str) -> None:
    (row,) = imported("nvbandwidth", nvb(passed(name, ["3080.5"])))
    assert (row.tier, row.case.split("/")[0]) == (Tier.HBM, "hbm")


def test_nvbandwidth_a_local_copy_by_tma_is_ours() -> None:
    (row,) = imported("nvbandwidth", nvb(passed("device_local_copy_tma", ["1400.5"])))
    assert row.case == "hbm/d2d/size=512MiB/count=payload/engine=tma"
    bench = registry().benches["hbm/d2d"]
    params: dict[str, Value] = {"size": "512MiB", "count": "payload", "engine": "tma"}
    assert bench.case(params, snapshot()).id == row.case


def test_nvbandwidth_an_error_of_the_whole_leaves_the_tests_before_it() -> None:
    found = imported("nvbandwidth", nvb(passed("x_ce", ["1.5"]), error="out of memory"))
    assert len(found) == 1
    assert found.notes == ("nvbandwidth reports: out of memory",)


def test_nvbandwidth_a_test_without_a_unit_takes_no_other_with_it() -> None:
    found = imported("nvbandwidth", nvb(passed("a", ["1.5"], text="?"), passed("b_ce", ["2.5"])))
    assert [row.value for row in found] == [2.5]
    assert list(found.unplaced) == ["a: the description names neither GB/s nor ns"]


def test_nvbandwidth_a_version_that_is_no_ascii_number_is_unknown() -> None:
    (row,) = imported(
        "nvbandwidth", nvb(passed("x_ce", ["1.5"]), **{"CUDA Runtime Version": "\u00b2"})
    )
    assert row.cuda == ""


def test_nvbandwidth_cells_without_a_figure_are_counted() -> None:
    peers = passed("device_to_device_memcpy_read_ce", ["N/A", "370.1"], ["0.00", "N/A"])
    alone = passed("host_to_device_memcpy_ce", ["N/A"])
    nameless = passed("", ["5.5"])
    found = imported("nvbandwidth", nvb(peers, alone, nameless, passed("empty", [])))
    assert sorted(values(found)) == [
        "link/nvbandwidth/test=device_to_device_memcpy_read_ce/src=0/dst=1",
        "link/nvbandwidth/test=unnamed/src=0/dst=0",
    ]
    assert found.unplaced == {
        "device_to_device_memcpy_read_ce: a cell that is not a number above 0": 1,
        "host_to_device_memcpy_ce: the whole matrix is N/A": 1,
        "a test without a matrix: empty": 1,
    }


def test_nvbandwidth_of_several_nodes() -> None:
    devices = [f"Process {n} (node-{n}): device 0: GPU {n} (00000000:0{n}:00)" for n in (0, 1)]
    text = "Bisect benchmarking, simultaneous write CE BW"
    test = passed("multinode_bisect_write_ce", ["80.5", "81.5"], text=text)
    found = imported("nvbandwidth", nvb(test, **{"GPU Device list": devices}))
    assert [(row.value, row.device) for row in found] == [(80.5, "GPU 0"), (81.5, "GPU 1")]


def test_nvbandwidth_a_test_that_ran_twice_is_numbered() -> None:
    found = imported("nvbandwidth", nvb(passed("x_ce", ["1.5"]), passed("x_ce", ["2.5"])))
    name = "link/nvbandwidth/test=x_ce/src=0/dst=0/instance"
    assert {row.case: row.value for row in found} == {f"{name}=0": 1.5, f"{name}=1": 2.5}


def test_nvbandwidth_a_test_that_prints_two_matrices_is_numbered_too() -> None:
    matrix = "memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)\n           0\n 0     {}\n\n"
    text = "nvbandwidth Version: v0.4\nRunning x_ce.\n" + matrix.format(1.5) + matrix.format(2.5)
    found = imported("nvbandwidth", text + "Running x_ce.\n" + matrix.format(3.5))
    name = "link/nvbandwidth/test=x_ce/src=0/dst=0/instance"
    assert {row.case: row.value for row in found} == {f"{name}={n}": n + 1.5 for n in (0, 1, 2)}


def test_nvbandwidth_units_and_sizes() -> None:
    slow = passed("x_latency_sm", ["1.5"], text="latency (us)")
    (row,) = imported("nvbandwidth", nvb(slow))
    assert (row.value, row.unit) == (1500, "ns")
    copy = passed("host_to_device_memcpy_ce", ["9.5"], bufferSize=64, useMean=True)
    (row,) = imported("nvbandwidth", nvb(copy, **{"CUDA Runtime Version": 12040}))
    assert row.case == "link/h2d/size=64MiB/mem=pinned/engine=ce/streams=1"
    assert (row.detail, row.cuda) == ({"statistic": "mean"}, "12.4")


def test_nvbench_a_state_that_was_timed_in_a_batch_alone() -> None:
    figures = {
        "nv/batch/sample_size": "100",
        "nv/batch/time/gpu/mean": "0.001",
        "nv/cold/sample_size": "0",
    }
    state = {
        "device": 0,
        "axis_values": [{"name": "N", "value": 5}],
        "summaries": [
            {"tag": tag, "data": [{"name": "value", "value": value}]}
            for tag, value in figures.items()
        ],
    }
    content = {
        "meta": {"version": {"nvbench": {}}},
        "devices": [{"id": 0, "name": "GPU"}],
        "benchmarks": [{"name": "b", "states": [state, {"device": 0, "summaries": []}]}],
    }
    found = imported("nvbench", json.dumps(content))
    (row,) = found
    assert (row.case, row.value, row.n) == ("gpu/nvbench/b/N=5/mode=batch", 1e6, 100)
    assert sum(found.unplaced.values()) == 1


BANDWIDTH_TEST = (DATA / "bandwidth_test.txt").read_text()


def test_cuda_samples_bandwidth_test() -> None:
    h2d, d2d = imported("cuda-samples", BANDWIDTH_TEST)
    assert (h2d.case, h2d.value, h2d.device) == (
        "link/cuda-samples/test=bandwidthTest/op=h2d/size=31250KiB/mem=pinned",
        12.3,
        "Example X1",
    )
    assert h2d.bytes_convention is BytesConvention.PAYLOAD
    assert (d2d.tier, d2d.value, d2d.bytes_convention) == (
        Tier.HBM,
        1157.5,
        BytesConvention.RW_SUM,  # the source has 2.0 * memSize
    )
    assert d2d.bytes_moved == 64_000_000
    old = BANDWIDTH_TEST.replace("(GB/s)", "(MB/s)")
    row = imported("cuda-samples", old)[0]
    assert row.value == pytest.approx(12.3 * 1_024_000 / 1e9)  # (1 << 10) / (1 << 20) per ms
    assert row.detail["assumed"] == "unit"
    line = "bandwidthTest-D2H-Pinned, Bandwidth = 13.2 GB/s, Time = 0.1 s, Size = 64 bytes, x = 1"
    (row,) = imported("cuda-samples", line)
    assert (row.case.split("test=")[1], row.value) == (
        "bandwidthTest/op=d2h/size=64B/mem=pinned",
        13.2,
    )


P2P = (DATA / "p2p.txt").read_text()


def test_cuda_samples_peer_matrices() -> None:
    found = imported("cuda-samples", P2P)
    assert not found.unplaced
    rates = values(found)
    uni, both = ("test=p2p/dir=uni/p2p=off", "test=p2p/dir=bidir/p2p=on")
    assert rates == {
        f"hbm/cuda-samples/{uni}/src=0/dst=0": 2500.5,
        f"link/cuda-samples/{uni}/src=0/dst=1": 30.5,
        f"link/cuda-samples/{uni}/src=1/dst=0": 31.5,
        f"hbm/cuda-samples/{uni}/src=1/dst=1": 2501.5,
        f"hbm/cuda-samples/{both}/src=0/dst=0": 2502.5,
        f"link/cuda-samples/{both}/src=0/dst=1": 700.5,
        f"link/cuda-samples/{both}/src=1/dst=0": 701.5,
        f"hbm/cuda-samples/{both}/src=1/dst=1": 2503.5,
    }
    latencies = values(found, "latency")
    assert latencies["link/cuda-samples/test=p2p/clock=gpu/p2p=on/op=writes/src=0/dst=1"] == 1500
    assert latencies["link/cuda-samples/test=p2p/clock=cpu/p2p=on/op=writes/src=1/dst=0"] == 4600
    conventions = {(row.tier, row.bytes_convention) for row in found if row.unit == "GB/s"}
    assert conventions == {
        (Tier.HBM, BytesConvention.RW_SUM),
        (Tier.LINK, BytesConvention.PAYLOAD),
    }


def test_gdsio_is_binary() -> None:
    found = imported("gdsio", DATA / "gdsio.txt")
    direct = "ssd/gdsio/op=read/path=gpud/block=1MiB/threads=8"
    assert values(found)[direct] == pytest.approx(6.5 * 2**30 / 1e9)
    assert values(found)[direct] == pytest.approx(8388608 * 1024 / 1.230769 / 1e9, rel=1e-5)
    assert values(found, "latency")[direct] == 1138500
    assert {row.status for row in found} == {Status.OK}
    assert (len(found), sum(found.unplaced.values())) == (4, 1)


def test_gdsio_of_the_batch_interface_says_its_depth() -> None:
    line = (
        "IoType: READ XferType: GPU_BATCH Threads: 1 IoDepth: 32 DataSetSize: 4194304/8388608(KiB) "
        "IOSize: 64(KiB) Throughput: 2.0 GiB/sec, Avg_Latency: 900.0 usecs ops: 65536 "
        "total_time 2.0 secs"
    )
    case = "ssd/gdsio/op=read/path=gpu_batch/block=64KiB/threads=1/qd=32"
    bandwidth, latency = imported("gdsio", line)
    assert bandwidth.case == case
    assert bandwidth.value == pytest.approx(2 * 2**30 / 1e9)
    assert (latency.case, latency.value) == (case, 900_000)


def test_runs_that_follow_each_other_in_a_log_are_all_read() -> None:
    service = '{"level": "info", "msg": "start"}'
    first, second = (nvb(passed("a", [rate])) for rate in ("20.0", "21.0"))
    case = "link/nvbandwidth/test=a/src=0/dst=0"
    for between in ("\n", "", "\nsome line\n"):
        found = imported("nvbandwidth", f"{service}\n{first}{between}{second}")
        assert values(found) == {f"{case}/instance=0": 20.0, f"{case}/instance=1": 21.0}
    cut = imported("nvbandwidth", f"{first}\n{second[:-5]}")
    assert values(cut) == {case: 20.0}
    assert sum(cut.unplaced.values()) == 1
