"""Unusual files of other tools: old versions, several runs in one file, cut files, mixed jobs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from reading_files import DATA, imported, values

from membench.core.errors import SchemaError
from membench.core.terms import Status, Tier
from membench.results.formats import recognise
from membench.results.schema import Row

AWKWARD = DATA / "awkward"
HOST = "threads=all/pages=4k/stores=plain"


def rows(tool: str, name: str, **given: str) -> Sequence[Row]:
    return imported(tool, AWKWARD / name, **given)


def figures(found: Sequence[Row]) -> dict[tuple[str, str, str], float | None]:
    return {(row.case, row.metric, row.stat): row.value for row in found}


@pytest.mark.parametrize("name", ["bs-01-v34-mbytes.csv", "bs-03-v50-phase-block.csv"])
def test_babelstream_of_old_versions(name: str) -> None:
    found = imported("babelstream", AWKWARD / name, tier="ddr")
    assert values(found) == {
        f"ddr/{word}/size=8MiB/{HOST}": value
        for word, value in {"copy": 20, "scale": 19, "add": 21, "triad": 22, "dot": 30}.items()
    }
    assert sum(found.unplaced.values()) == (2 if "phase" in name else 0)


def test_babelstream_triad_only_is_an_average() -> None:
    (row,) = rows("babelstream", "bs-04-triad-only.csv", tier="ddr")
    assert (row.value, row.detail["statistic"], row.flags) == (10.5, "mean", ("single-round",))


def test_babelstream_names_its_device_before_the_header() -> None:
    found = rows("babelstream", "bs-06-device-lines-first.csv", tier="hbm")
    assert values(found)["hbm/triad/size=8MiB/vec=16"] == 22
    assert {(row.device, row.driver) for row in found} == {("Foo 9000", "12080")}


USUAL = {
    ("iops", "median"): 10000,
    ("bandwidth", "median"): 0.04096,
    ("latency", "p50"): 90000,
    ("latency", "p95"): 120000,
    ("latency", "p99"): 200000,
    ("latency", "p999"): 400000,
}


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("fio-22.json", ["ssd/fio/job=a/op=read"]),
        ("fio-31-nobwbytes.json", ["ssd/fio/job=a/op=read"]),
        ("fio-client.json", ["ssd/fio/job=a/op=read"]),
        ("fio-cufile.json", ["ssd/fio/job=gds/op=read"]),
        ("fio-fsync.json", ["ssd/fio/job=wal/op=write"]),
        ("fio-latpct.json", ["ssd/fio/job=a/op=read"]),
        (
            "fio-numjobs2.json",
            ["ssd/fio/job=a/op=read/instance=0", "ssd/fio/job=a/op=read/instance=1"],
        ),
        ("fio-twice.json", ["ssd/fio/job=a/op=read"]),
        ("fio-two-engines.json", ["ssd/fio/job=aio/op=read", "ssd/fio/job=uring/op=read"]),
    ],
)
def test_fio_every_figure_is_there_under_a_name_that_is_not_too_much(
    name: str, cases: list[str]
) -> None:
    found = figures(rows("fio", name))
    assert found == {(case, *key): value for case in cases for key, value in USUAL.items()}


def test_fio_says_which_latency_the_quantiles_are_of() -> None:
    latencies = [one for one in rows("fio", "fio-latpct.json") if one.metric == "latency"]
    assert {one.detail["latency"] for one in latencies} == {"lat"}
    assert {one.detail["engine"] for one in rows("fio", "fio-two-engines.json")} == {
        "libaio",
        "io_uring",
    }


@pytest.mark.parametrize(
    ("name", "iops"),
    [
        ("fio-group-unlike.json", 33300.813008),
        ("fio-io-size.json", 1000),
        ("fio-latency-target.json", 60126.245847),
    ],
)
def test_fio_options_that_do_not_say_what_was_done_give_no_case_of_ours(
    name: str, iops: float
) -> None:
    found = rows("fio", name)
    assert values(found, "iops") == {"ssd/fio/job=a/op=read": iops}
    short = {row.metric for row in found if "short-run" in row.flags}
    assert short == ({"iops", "bandwidth"} if name == "fio-io-size.json" else set())


def test_fio_normal_output_is_read_and_says_that_json_is_better() -> None:
    found = imported("fio", AWKWARD / "fio-text.txt")
    assert figures(found) == {
        ("ssd/fio/job=a/op=read", "iops", "median"): 10000,
        ("ssd/fio/job=a/op=read", "bandwidth", "median"): pytest.approx(39.1 * 2**20 / 1e9),
    }
    assert "fio's normal output" in found.notes[0]
    assert "--output-format=json" in found.notes[0]


def test_fio_earlier_states_of_a_run_are_passed_over_and_other_runs_are_not() -> None:
    assert "earlier states" in imported("fio", AWKWARD / "fio-twice.json").notes[0]
    text = (AWKWARD / "fio-twice.json").read_text()
    first, second = text.split("\n}\n{\n")
    later = second.replace("1700000000000", "1700000020000")  # starts 20 s later and runs for 10 s
    found = imported("fio", f"{first}\n}}\n{{\n{later}")
    assert set(values(found)) == {f"ssd/fio/job=a/op=read/instance={n}" for n in (0, 1)}
    assert "2 runs" in found.notes[0]


def test_nvbandwidth_parts_of_a_bidirectional_test() -> None:
    found = rows("nvbandwidth", "nvb-01-bidir-d2d.json")
    name = "link/nvbandwidth/test=device_to_device_bidirectional_memcpy_read_ce/part"
    assert values(found) == {
        f"{name}=read1/src=0/dst=1": 50,
        f"{name}=read1/src=1/dst=0": 52,
        f"{name}=read2/src=0/dst=1": 60,
        f"{name}=read2/src=1/dst=0": 62,
        f"{name}=total/src=0/dst=1": 110,
        f"{name}=total/src=1/dst=0": 114,
    }
    assert {(row.case.split("/")[3], row.detail["counts"]) for row in found} == {
        ("part=read1", "one-direction"),
        ("part=read2", "one-direction"),
        ("part=total", "both-directions"),
    }


def test_nvbandwidth_a_test_that_failed_takes_no_other_with_it() -> None:
    found = rows("nvbandwidth", "nvb-03-running-then-error.json")
    h2d = "link/h2d/size=512MiB/mem=pinned/engine=ce/streams=1"
    assert values(found) == {h2d: 20, f"{h2d}/gpu=1": 21, h2d.replace("h2d", "d2h"): None}
    assert [row.status for row in found] == [Status.OK, Status.OK, Status.FAILED]


def test_nvbandwidth_says_why_it_ran_nothing() -> None:
    with pytest.raises(SchemaError, match="CUDA_ERROR_NO_DEVICE: no CUDA-capable device"):
        rows("nvbandwidth", "nvb-04-top-level-error.json")


def test_nvbandwidth_text() -> None:
    found = imported("nvbandwidth", AWKWARD / "nvb-06-text.txt")
    (row,) = found
    assert row.case == "link/h2d/size=512MiB/mem=pinned/engine=ce/streams=1"
    assert (row.value, row.device) == (25.1, "NVIDIA Example X1")
    assert (row.driver, row.cuda) == ("570.10", "12.8")
    assert sum(found.unplaced.values()) == 1  # "Waived: " without the name of the test


def test_nvbench_on_the_host_alone() -> None:
    found = rows("nvbench", "nvbench-cpu-only.json")
    assert figures(found) == {
        ("host/nvbench/host_sort", "latency", "median"): 2_000_000,
        ("host/nvbench/host_sort", "bandwidth", "median"): 8,
        ("host/nvbench/host_sort", "rate", "median"): 1e9,
    }
    assert {(row.tier, row.n, row.device) for row in found} == {(Tier.DDR, 50, "")}


def test_pytest_benchmark_parameters_are_told_apart() -> None:
    found = rows("pytest-benchmark", "pytest-operators.json")
    assert values(found, "latency") == {
        "pytest/t-test_a.py::test_cmp-lt": 1500,
        "pytest/t-test_a.py::test_cmp-gt": 3000,
        "pytest/t-test_a.py::test_cmp-==": 4500,
    }


TOOLS: dict[str, tuple[Path, dict[str, str]]] = {
    "fio": (AWKWARD / "fio-31-nobwbytes.json", {}),
    "nvbandwidth": (AWKWARD / "nvb-03-running-then-error.json", {}),
    "babelstream": (AWKWARD / "bs-01-v34-mbytes.csv", {"tier": "ddr"}),
    "nvbench": (DATA / "nvbench.json", {}),
    "pytest-benchmark": (AWKWARD / "pytest-operators.json", {}),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_gzip_and_utf_16_and_lines_of_windows_change_nothing(tool: str) -> None:
    path, given = TOOLS[tool]
    text = path.read_text()
    plain = imported(tool, path, **given)
    others: list[bytes] = [
        gzip.compress(text.encode(), mtime=0),
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        ("$ a command\nsome line {\n" + text + "\ndone\n").encode(),
    ]
    for data in others:
        assert imported(tool, data, **given) == plain


@pytest.mark.parametrize("tool", TOOLS)
def test_the_file_of_another_tool_is_answered_with_its_command(tool: str) -> None:
    for other, (path, _) in TOOLS.items():
        if other != tool:
            with pytest.raises(SchemaError, match=f"the output of {other}, not of {tool}") as error:
                imported(tool, path, tier="ddr")
            assert f"membench import {other} FILE" in error.value.hint


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "LFS", "git lfs pull"),
        (b"schema,run_id,machine,tier,case\n", "already a results file of membench", "compare"),
        (
            gzip.compress(b"schema,run_id,machine,tier,case\n", mtime=0),  # the id of the test
            "already a results",
            "decompress",
        ),
        (b'{"schema": "membench.run/1"}', "JSON of membench", "compare"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3abc", "damaged gzip|truncated gzip", "fetch the file again"),
        (b"PK\x03\x04abc", "ZIP", "unzip"),
        (b"fio.json".ljust(257, b"\0") + b"ustar\x0000", "a tar archive", "extract"),
        (b"\x28\xb5\x2f\xfdabc", "zstd", "zstd -dc FILE > "),
        (b"\xfd7zXZ\0abc", "xz", "xz -dc FILE > "),
        (b"BZh91AY", "bzip2", "bzip2 -dc FILE > "),
        (b"<!DOCTYPE html><html>", "a web page", "raw file"),
    ],
)
def test_what_is_no_output_of_a_tool_is_said_with_what_helps(
    data: bytes, message: str, hint: str
) -> None:
    for tool in TOOLS:
        with pytest.raises(SchemaError, match=message) as error:
            imported(tool, data, tier="ddr")
        assert hint in error.value.hint


def test_gzip_of_more_than_a_file_may_hold_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise, "MAX_BYTES", 1 << 20)
    bomb = gzip.compress(b" " * (4 << 20))
    with pytest.raises(SchemaError, match="larger than 1 MiB when it is unpacked"):
        imported("fio", bomb)


def job(**options: Any) -> dict[str, Any]:
    """A fio job with the options of a membench case, changed by ``options``."""
    figures_ = {
        "io_bytes": 4096 * 1000,
        "total_ios": 1000,
        "iops": 500.0,
        "bw_bytes": 2048000,
        "runtime": 2000,
    }
    plain = {"name": "a", "rw": "randread", "bs": "4k", "iodepth": "4", "direct": "1"}
    return {
        "jobname": "a",
        "error": 0,
        "job options": {**plain, "ioengine": "libaio", **options},
        "read": figures_,
        "iodepth_level": {"1": 0.1, "2": 0.1, "4": 99.8, "8": 0.0},
    }


def fio(*jobs: dict[str, Any]) -> set[str]:
    content = {"fio version": "fio-3.36", "jobs": jobs}
    return {row.case for row in imported("fio", json.dumps(content))}


OURS = "ssd/read/pattern=rand/block=4KiB/qd=4/pages=4k"


def test_fio_a_plain_job_is_a_case_of_ours() -> None:
    assert fio(job()) == {OURS}
    assert fio(job(runtime="2", time_based="1", size="1g", group_reporting="1")) == {OURS}
    assert fio(job(mem="mmaphuge")) == {OURS.replace("4k", "thp")}


@pytest.mark.parametrize(
    "option",
    [
        *("fsync", "fdatasync", "sync", "thinktime", "random_distribution", "percentage_random"),
        *("zonemode", "filesize", "verify", "rate", "rate_iops", "latency_target", "io_size"),
        *("hipri", "bsrange", "bssplit", "nrfiles", "buffer_compress_percentage", "zero_buffers"),
        *("unified_rw_reporting", "iodepth_batch", "offset", "an_option_of_a_later_version"),
    ],
)
def test_fio_an_option_that_may_change_the_meaning_keeps_its_name(option: str) -> None:
    assert fio(job(**{option: "1"})) == {"ssd/fio/job=a/op=read"}


@pytest.mark.parametrize(
    "engine", ["libcufile", "null", "mmap", "posixaio", "io_uring_cmd", "http"]
)
def test_fio_only_engines_on_the_list_are_cases_of_ours(engine: str) -> None:
    assert fio(job(ioengine=engine)) == {"ssd/fio/job=a/op=read"}


def test_fio_what_it_counted_has_to_agree_with_the_options() -> None:
    shallow, blocks, other = job(), job(), job()
    shallow["iodepth_level"] = {"1": 10.0, "4": 90.0}
    blocks["read"]["total_ios"] = 999
    other["jobname"] = "b"
    nameless = job(group_reporting="1")
    del nameless["job options"]["name"]
    for one in (shallow, blocks, other, nameless):
        assert next(iter(fio(one))).startswith("ssd/fio/")
    del nameless["job options"]["group_reporting"]  # the options of one section of a job file
    assert fio(nameless) == {OURS}


def test_fio_two_jobs_of_one_shape_are_told_apart() -> None:
    second = job(name="b", ioengine="io_uring")
    second["jobname"] = "b"
    assert fio(job(), second) == {"ssd/fio/job=a/op=read", "ssd/fio/job=b/op=read"}
    assert fio(job(), job()) == {f"ssd/fio/job=a/op=read/instance={n}" for n in (0, 1)}


def test_fio_a_job_with_its_own_name_says_how_it_was_set_up() -> None:
    (row, *_) = rows("fio", "fio-fsync.json")
    said = {name: row.detail[name] for name in ("rw", "bs", "iodepth", "direct", "fsync", "engine")}
    assert said == {
        "rw": "write",
        "bs": "4k",
        "iodepth": "1",
        "direct": "1",
        "fsync": "1",
        "engine": "psync",
    }


def test_fio_mixed_trim_and_sync_are_told_apart() -> None:
    one = job()
    one["mixed"] = one["trim"] = one["read"]
    one["sync"] = {"total_ios": 5, "lat_ns": {"mean": 5e6, "percentile": {"99.000000": 7000000}}}
    assert fio(one) == {OURS, *(f"ssd/fio/job=a/op={op}" for op in ("mixed", "trim", "sync"))}


def test_fio_two_runs_on_one_line_are_both_read() -> None:
    first = json.dumps({"timestamp": 1_700_000_000, "jobs": [job()]}, indent=1)
    second = json.dumps({"timestamp": 1_700_009_999, "jobs": [job()]}, indent=1)
    service = '{"level": "info"}\n'
    found = imported("fio", f"{service}{first}{second}\n")
    assert {row.case.rpartition("/")[2] for row in found} == {"instance=0", "instance=1"}
    assert found.notes == ("2 runs of fio in one file were imported as one run",)


def test_fio_a_document_that_is_cut_off_leaves_the_one_before_it() -> None:
    whole = json.dumps({"fio version": "fio-3.36", "jobs": [job()]}, indent=1)
    found = imported("fio", f"{whole}\n{whole[:300]}")
    assert {row.case for row in found} == {OURS}
    assert any("cut off" in what for what in found.unplaced)


def test_fio_numbers_that_c_prints_and_json_does_not_know_are_absent() -> None:
    text = json.dumps({"fio version": "fio-2.1", "jobs": [{**job(), "x": 0.5}]})
    for word in ("-nan", "nan", "inf", "NaN", "-Infinity"):
        assert imported("fio", text.replace("0.5}", f"{word}}}"))
