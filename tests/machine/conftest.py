"""Recorded machines: sysfs and procfs trees for tests of the machine snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Tree = dict[str, str]
Plant = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A function that writes a tree of files. The value ``-> target`` makes a symbolic link."""

    def write(tree: Mapping[str, str]) -> Path:
        for name, content in tree.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("-> "):
                path.symlink_to(content.removeprefix("-> "))
            else:
                path.write_text(content, encoding="utf-8")
        return tmp_path

    return write


def _cpu(tree: Tree, cpu: int, core: int, package: int) -> None:
    base = f"sys/devices/system/cpu/cpu{cpu}/topology"
    tree[f"{base}/core_id"] = f"{core}\n"
    tree[f"{base}/physical_package_id"] = f"{package}\n"


def _cache(tree: Tree, cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> None:
    base = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    tree[f"{base}/level"] = f"{level}\n"
    tree[f"{base}/type"] = f"{kind}\n"
    tree[f"{base}/size"] = f"{size}\n"
    tree[f"{base}/shared_cpu_list"] = f"{shared}\n"
    tree[f"{base}/coherency_line_size"] = "64\n"


def _node(tree: Tree, node: int, cpus: str, kilobytes: int, distance: str) -> None:
    base = f"sys/devices/system/node/node{node}"
    tree[f"{base}/cpulist"] = f"{cpus}\n"
    tree[f"{base}/distance"] = f"{distance}\n"
    tree[f"{base}/meminfo"] = (
        f"Node {node} MemTotal:       {kilobytes} kB\nNode {node} MemFree: 1 kB\n"
    )


@pytest.fixture
def two_sockets() -> Tree:
    """A bare-metal server: two packages of two cores with two threads, one node per package."""
    tree: Tree = {
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n"
        "cpu family\t: 6\nmodel\t\t: 143\n"
        "model name\t: Intel(R) Xeon(R) Platinum 8480C CPU @ 2.60GHz\nflags\t\t: fpu vme avx512f\n",
        "proc/meminfo": "MemTotal:       528280000 kB\nMemFree:        400000000 kB\n"
        "MemAvailable:   500000000 kB\nHugePages_Total:      16\nHugePages_Free:        4\n",
        "proc/loadavg": "0.50 1.25 2.00 1/512 4242\n",
        "proc/sys/kernel/osrelease": "6.8.0-45-generic\n",
        "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "sys/devices/system/cpu/online": "0-7\n",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
        "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/kernel/mm/transparent_hugepage/hpage_pmd_size": "2097152\n",
        "sys/class/dmi/id/sys_vendor": "Supermicro\n",
        "sys/class/dmi/id/product_name": "SYS-221H-TNR\n",
    }
    # CPUs 0 to 3 are the first threads of their cores, 4 to 7 the second threads.
    for cpu in range(8):
        core, package = cpu % 2, cpu % 4 // 2
        siblings = f"{cpu % 4},{cpu % 4 + 4}"
        socket = "0-1,4-5" if package == 0 else "2-3,6-7"
        _cpu(tree, cpu, core, package)
        _cache(tree, cpu, 0, 1, "Data", "48K", siblings)
        _cache(tree, cpu, 1, 1, "Instruction", "32K", siblings)
        _cache(tree, cpu, 2, 2, "Unified", "2048K", siblings)
        _cache(tree, cpu, 3, 3, "Unified", "105M", socket)
    _node(tree, 0, "0-1,4-5", 264000000, "10 21")
    _node(tree, 1, "2-3,6-7", 264280000, "21 10")
    return tree


@pytest.fixture
def grace() -> Tree:
    """A Grace CPU: no model name, 64 KiB pages, and a node without CPUs (the GPU's memory)."""
    core = "processor\t: {}\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\nCPU revision\t: 0\n\n"
    tree: Tree = {
        "proc/cpuinfo": core.format(0) + core.format(1),
        "proc/meminfo": "MemTotal: 600000000 kB\nMemAvailable: 590000000 kB\n",
        "sys/devices/soc0/soc_id": "jep106:036b:0241\n",
        "sys/devices/system/cpu/online": "0-1\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
        "sys/kernel/mm/transparent_hugepage/hpage_pmd_size": "536870912\n",
    }
    for cpu in range(2):
        _cpu(tree, cpu, cpu, 0)
        _cache(tree, cpu, 0, 1, "Data", "64K", str(cpu))
        _cache(tree, cpu, 3, 3, "Unified", "116736K", "0-1")
    _node(tree, 0, "0-1", 500000000, "10 80")
    _node(tree, 1, "", 100000000, "80 10")
    return tree


@pytest.fixture
def odd_vm() -> Tree:
    """A virtual machine with implausible caches and without firmware data."""
    tree: Tree = {
        "proc/cpuinfo": "vendor_id : AuthenticAMD\ncpu family : 25\nmodel : 17\n"
        "model name : unknown\nflags : fpu hypervisor sse2\n",
        "proc/meminfo": "MemTotal: 2000000 kB\nMemFree: 1000000 kB\n",
        "sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc\n",
        "sys/devices/system/cpu/online": "0-1\n",
        "sys/devices/system/cpu/cpu0/topology/physical_package_id": "-1\n",
        "sys/devices/system/cpu/cpu1/cache/index0/level": "1\n",  # without size and type
    }
    _cache(tree, 0, 0, 1, "Data", "0K", "0")
    _cache(tree, 0, 1, 2, "Unified", "lots", "0")
    _cache(tree, 0, 2, 3, "Unified", "16384K", "")
    return tree


@pytest.fixture
def bare() -> Tree:
    """A machine almost without sysfs: no cpufreq, no huge pages, no nodes."""
    return {
        "proc/cpuinfo": "processor : 0\nmodel name : Plain CPU\nflags : fpu\n",
        "proc/meminfo": "MemTotal: 1024 kB\nMemAvailable: 512 kB\n",
        "sys/devices/system/cpu/online": "0\n",
    }
