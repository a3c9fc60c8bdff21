"""Control groups of versions 1 and 2, nested, and as seen inside containers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.machine.cgroup import Limits, cpu_groups, read_limits, throttled_count
from membench.machine.cpus.topology import read_cpu

Plant = Callable[[Mapping[str, str]], Path]

V2_MOUNT = "30 25 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
GIB = 1024**3


def test_a_version_2_container(plant: Plant) -> None:
    root = plant(
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT.format(root="/"),
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 5\nnr_periods 90\nnr_throttled 7\n",
            "sys/fs/cgroup/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory.stat": f"anon {GIB}\nfile {2 * GIB}\ninactive_file {GIB}\n",
        }
    )
    limits = read_limits(root)
    assert limits == Limits(quota=1.5, memory=4 * GIB, memory_used=2 * GIB)
    assert read_cpu(root, limits, affinity=range(8)).usable == 2
    assert throttled_count(cpu_groups(root)) == 7


def test_the_tightest_of_nested_groups_counts(plant: Plant) -> None:
    base = "sys/fs/cgroup/pod.slice"
    root = plant(
        {
            "proc/self/cgroup": "0::/pod.slice/job.scope\n",
            "proc/self/mountinfo": V2_MOUNT.format(root="/"),
            f"{base}/job.scope/cpu.max": "400000 100000\n",
            f"{base}/job.scope/cpu.stat": "nr_throttled 2\n",
            f"{base}/cpu.max": "300000 100000\n",
            f"{base}/cpu.stat": "nr_throttled 40\n",
            # The inner limit is smaller, but the outer group has less free memory.
            f"{base}/job.scope/memory.max": f"{8 * GIB}\n",
            f"{base}/job.scope/memory.current": f"{GIB}\n",
            f"{base}/memory.max": f"{10 * GIB}\n",
            f"{base}/memory.current": f"{9 * GIB}\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 5\n",
        }
    )
    assert read_limits(root) == Limits(3.0, 10 * GIB, 9 * GIB)
    assert throttled_count(cpu_groups(root)) == 42


def test_version_1(plant: Plant) -> None:
    mounts = (
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    )
    root = plant(
        {
            "proc/self/cgroup": "4:memory:/user/me\n2:cpu,cpuacct:/user\n1:name=x:/x\n0::/x\n",
            "proc/self/mountinfo": mounts,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/user/cpu.stat": "nr_periods 9\nnr_throttled 3\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/user/memory.limit_in_bytes": f"{2 * GIB}\n",
            "sys/fs/cgroup/memory/user/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/user/memory.stat": "inactive_file 5\n"
            f"total_inactive_file {GIB // 2}\n",
            "sys/fs/cgroup/memory/user/me/memory.limit_in_bytes": "9223372036854710272\n",
        }
    )
    assert read_limits(root) == Limits(0.5, 2 * GIB, GIB // 2)
    assert throttled_count(cpu_groups(root)) == 3


@pytest.mark.parametrize(
    ("mount_root", "own"),
    [
        # Without a cgroup namespace, the mount shows only a part of the tree.
        ("/docker/abc", "/docker/abc"),
        ("/docker/abc", "/elsewhere"),  # the path is outside the mounted part
        ("/", "/../other"),  # a namespace as seen from outside
        ("/", "/gone"),  # the directory of the group is not visible
    ],
)
def test_groups_that_a_container_hides(plant: Plant, mount_root: str, own: str) -> None:
    root = plant(
        {
            "proc/self/cgroup": f"0::{own}\n",
            "proc/self/mountinfo": V2_MOUNT.format(root=mount_root),
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
        }
    )
    assert read_limits(root).quota == 2.0


def test_below_the_part_that_the_mount_shows(plant: Plant) -> None:
    root = plant(
        {
            "proc/self/cgroup": "0::/docker/abc/inner\n",
            "proc/self/mountinfo": V2_MOUNT.format(root="/docker/abc"),
            "sys/fs/cgroup/inner/cpu.max": "100000 100000\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        }
    )
    assert read_limits(root).quota == 1.0


@pytest.mark.parametrize("text", ["max 100000", "", "x y", "100000", "100000 0", "-5 100000"])
def test_no_quota(plant: Plant, text: str) -> None:
    root = plant(
        {
            "proc/self/cgroup": "0::/",
            "proc/self/mountinfo": V2_MOUNT.format(root="/"),
            "sys/fs/cgroup/cpu.max": text,
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/memory.current": "4096\n",
        }
    )
    assert read_limits(root) == Limits()
    assert throttled_count(cpu_groups(root)) == 0


def test_without_control_groups(tmp_path: Path) -> None:
    assert read_limits(tmp_path) == Limits()
    assert throttled_count(cpu_groups(tmp_path)) == 0


def test_this_process_has_limits_that_make_sense() -> None:
    limits = read_limits()
    assert limits.quota is None or (limits.quota > 0 and math.isfinite(limits.quota))
    assert limits.memory is None or limits.memory >= (limits.memory_used or 0) >= 0
    before = throttled_count(cpu_groups())
    assert throttled_count(cpu_groups()) >= before >= 0
