"""CPU facts, read from recorded trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.machine.cgroup import Limits
from membench.machine.cpus.names import cpu_name
from membench.machine.cpus.topology import read_cpu
from membench.machine.hypervisor import read_hypervisor
from membench.machine.kernel_text import cpu_list, cpu_mask, fields, integer, numbered, read

Tree = dict[str, str]
Plant = Callable[[Mapping[str, str]], Path]


def test_two_sockets_with_smt(plant: Plant, two_sockets: Tree) -> None:
    cpu = read_cpu(plant(two_sockets), affinity=range(8), architecture="x86_64")
    assert cpu.model == "Intel(R) Xeon(R) Platinum 8480C CPU @ 2.60GHz"
    assert len(cpu.cores) == 8
    assert {(core.package, core.core) for core in cpu.cores} == {(0, 0), (0, 1), (1, 2), (1, 3)}
    assert [core.node for core in cpu.cores] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert cpu.governor == "performance,powersave"
    assert cpu.hypervisor == ""
    assert (cpu.usable, cpu.quota) == (8, None)


def test_a_shared_cache_counts_once(plant: Plant, two_sockets: Tree) -> None:
    cpu = read_cpu(plant(two_sockets), affinity=[0])
    assert len(cpu.caches) == 4 + 4 + 4 + 2
    assert cpu.cache_bytes(1) == 4 * 48 * 1024  # without instruction caches
    assert cpu.cache_bytes(2) == 4 * 2 * 1024**2
    assert cpu.last_level_bytes == 2 * 105 * 1024**2
    assert {cache.cpus for cache in cpu.caches if cache.level == 3} == {(0, 1, 4, 5), (2, 3, 6, 7)}


def test_aarch64_has_no_model_name(plant: Plant, grace: Tree) -> None:
    root = plant(grace)
    cpu = read_cpu(root, affinity=range(2), architecture="aarch64")
    assert cpu.model == "NVIDIA Grace"
    assert cpu.hypervisor == ""
    assert cpu.last_level_bytes == 116736 * 1024
    (root / "sys/devices/soc0/soc_id").unlink()
    assert read_cpu(root, affinity=[0], architecture="aarch64").model == "Arm Neoverse-V2"


def test_small_cores_without_an_l2_do_not_hide_those_of_large_ones(plant: Plant) -> None:
    """The small core has no L2, so its L3 has the index of the large core's L2."""
    shared = {"coherency_line_size": "64", "type": "Unified"}
    l3 = {"level": "3", "size": "8192K", "shared_cpu_list": "0-1"} | shared
    l2 = {"level": "2", "size": "512K", "shared_cpu_list": "1"} | shared
    at = "sys/devices/system/cpu"
    found = {f"{at}/cpu0/cache/index2": l3, f"{at}/cpu1/cache/index2": l2}
    found[f"{at}/cpu1/cache/index3"] = l3
    tree = {f"{place}/{name}": text for place, one in found.items() for name, text in one.items()}
    cpu = read_cpu(plant({f"{at}/online": "0-1"} | tree), affinity=(0, 1))
    assert [(one.level, one.cpus) for one in cpu.caches] == [(2, (1,)), (3, (0, 1))]


def test_a_virtual_machine_with_odd_caches(plant: Plant, odd_vm: Tree) -> None:
    cpu = read_cpu(plant(odd_vm), affinity=[0, 1], architecture="x86_64")
    assert cpu.model == "AuthenticAMD family 25 model 17"
    assert cpu.hypervisor == "kvm"
    assert [(core.package, core.core) for core in cpu.cores] == [(0, 0), (0, 1)]
    assert [(cache.level, cache.size, cache.cpus) for cache in cpu.caches] == [(3, 16 << 20, (0,))]


def test_nothing_but_a_name(plant: Plant, bare: Tree) -> None:
    cpu = read_cpu(plant(bare), affinity=[0], architecture="x86_64")
    assert (cpu.model, cpu.governor, cpu.caches, cpu.last_level_bytes) == ("Plain CPU", "", (), 0)


def test_an_empty_tree_still_names_the_cpu(tmp_path: Path) -> None:
    cpu = read_cpu(tmp_path, affinity=[3, 1], architecture="riscv64")
    assert cpu.model == "riscv64"
    assert [core.cpu for core in cpu.cores] == [1, 3]


@pytest.mark.parametrize(
    ("quota", "affinity", "usable"),
    [(None, 8, 8), (1.5, 8, 2), (0.25, 8, 1), (2.0, 8, 2), (64.0, 8, 8), (1.5, 1, 1), (None, 0, 1)],
)
def test_usable_threads(tmp_path: Path, quota: float | None, affinity: int, usable: int) -> None:
    assert read_cpu(tmp_path, Limits(quota), range(affinity)).usable == usable


def test_big_and_little_cores_are_both_named(tmp_path: Path) -> None:
    text = "".join(f"CPU implementer : 0x41\nCPU part : {p}\n" for p in ("0xd87", "0xd85", "0xd87"))
    assert cpu_name(text, "aarch64", tmp_path) == "Arm Cortex-A725 + Arm Cortex-X925"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("Model Name : Loongson-3A5000\n", "Loongson-3A5000"),
        ("isa : rv64imafdc\nuarch : sifive,u74-mc\n", "sifive,u74-mc"),
        ("cpu : POWER9, altivec supported\n", "POWER9, altivec supported"),
        ("CPU implementer : 0x41\nCPU part : 0xd99\n", "Arm part 0xd99"),
        ("CPU implementer : 0x7f\nCPU part : 0x1\n", "implementer 0x7f part 0x001"),
        ("CPU implementer : 0x4e\nCPU part : 0x010\n", "NVIDIA Olympus"),
        ("CPU implementer : 0x6d\nCPU part : 0xd49\n", "Microsoft Cobalt 100"),
    ],
)
def test_names_of_other_architectures(tmp_path: Path, cpuinfo: str, name: str) -> None:
    assert cpu_name(cpuinfo, "some", tmp_path) == name


def test_masks_of_old_kernels() -> None:
    assert cpu_mask("00000001,00000005") == (0, 2, 32)
    assert cpu_mask("ff") == tuple(range(8))
    assert cpu_mask("") == cpu_mask("0x1") == cpu_mask("123456789") == ()


@given(st.sets(st.integers(0, 300)))
def test_a_mask_and_a_list_say_the_same(cpus: set[int]) -> None:
    bits = sum(1 << cpu for cpu in cpus)
    words = [f"{bits >> shift & 0xFFFFFFFF:08x}" for shift in range(288, -1, -32)]
    assert cpu_mask(",".join(words)) == cpu_list(",".join(map(str, cpus)))


def test_lists_of_a_mask_alone_group_the_cores(plant: Plant) -> None:
    base = "sys/devices/system/cpu"
    tree = {f"{base}/online": "0-3"}
    for cpu in range(4):
        tree[f"{base}/cpu{cpu}/topology/core_id"] = "0"
        tree[f"{base}/cpu{cpu}/topology/thread_siblings"] = f"{3 << cpu // 2 * 2:x}"
        tree[f"{base}/cpu{cpu}/topology/core_siblings"] = "f"
    found = read_cpu(plant(tree), affinity=range(4), architecture="x86_64")
    assert [(core.core, core.package) for core in found.cores] == [(0, 0), (0, 0), (1, 0), (1, 0)]


def test_ids_that_begin_anew_in_a_die_are_told_apart_without_lists(plant: Plant) -> None:
    base = "sys/devices/system/cpu"
    tree = {f"{base}/online": "0-3"}
    for cpu in range(4):
        place = f"{base}/cpu{cpu}/topology"
        tree |= {f"{place}/core_id": str(cpu % 2), f"{place}/die_id": str(cpu // 2)}
        tree[f"{place}/physical_package_id"] = "0"
    found = read_cpu(plant(tree), affinity=range(4), architecture="x86_64")
    assert [core.core for core in found.cores] == [0, 1, 2, 3]


def test_a_favoured_core_is_no_kind_of_its_own(plant: Plant) -> None:
    base = "sys/devices/system/cpu"
    tree = {f"{base}/online": "0-3"}
    for cpu, clock in enumerate((4400000, 4900000, 4500000, 4400000)):
        tree[f"{base}/cpu{cpu}/cpufreq/cpuinfo_max_freq"] = str(clock)
    root = plant(tree)
    assert read_cpu(root, affinity=range(4)).kinds == (4,)
    plant({f"{base}/cpu0/cpufreq/cpuinfo_max_freq": "2000000"})
    assert read_cpu(root, affinity=range(4)).kinds == (3, 1)
    plant({"sys/devices/cpu_core/cpus": "0-1", "sys/devices/cpu_atom/cpus": "2-3"})
    (root / f"{base}/cpu0/cpufreq/cpuinfo_max_freq").unlink()
    assert read_cpu(root, affinity=range(4)).kinds == (2, 2)


def test_device_tree_and_firmware_name_what_cpuinfo_does_not(plant: Plant, tmp_path: Path) -> None:
    text = "CPU implementer : 0x99\nCPU part : zzz\n"
    plant({"sys/class/dmi/id/product_name": "Altra Board\n"})
    assert cpu_name(text, "aarch64", tmp_path) == "Altra Board"
    plant({"proc/device-tree/model": "Some Single-Board Computer\0"})
    assert cpu_name(text, "aarch64", tmp_path) == "Some Single-Board Computer"


@pytest.mark.parametrize(
    ("cpuinfo", "tree", "name"),
    [
        ("flags : fpu", {"sys/class/dmi/id/sys_vendor": "Amazon EC2"}, ""),  # a bare-metal instance
        ("flags : hypervisor", {"sys/class/dmi/id/sys_vendor": "Amazon EC2"}, "kvm"),
        ("flags : hypervisor", {"sys/class/dmi/id/sys_vendor": "VMware, Inc."}, "vmware"),
        ("flags : hypervisor", {"sys/class/dmi/id/sys_vendor": "QEMU"}, "kvm"),
        ("flags : hypervisor", {"sys/class/dmi/id/product_name": "Virtual Machine"}, "hyperv"),
        (
            "flags : hypervisor",
            {"sys/firmware/acpi/tables/DSDT": "DSDTS..w.FIRECKFCVMDSDT"},
            "firecracker",
        ),
        ("flags : hypervisor", {"sys/hypervisor/type": "xen"}, "xen"),
        ("flags : hypervisor", {}, "yes"),
        (
            "",
            {
                "sys/class/dmi/id/product_name": "c7g.metal",
                "sys/class/dmi/id/sys_vendor": "Amazon EC2",
            },
            "",
        ),
        (
            "",
            {
                "sys/class/dmi/id/product_name": "c7g.large",
                "sys/class/dmi/id/sys_vendor": "Amazon EC2",
            },
            "kvm",
        ),
        ("", {"proc/device-tree/hypervisor/compatible": "linux,kvm\0"}, "kvm"),
        ("", {}, ""),
    ],
)
def test_hypervisor(plant: Plant, cpuinfo: str, tree: Tree, name: str) -> None:
    assert read_hypervisor(cpuinfo, plant(tree)) == name


@given(st.frozensets(st.integers(0, 4095)))
def test_cpu_lists_are_read_as_the_kernel_writes_them(cpus: frozenset[int]) -> None:
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    text = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
    assert cpu_list(text) == tuple(sorted(cpus))


@given(st.text())
def test_no_text_upsets_the_readers(text: str) -> None:
    assert len(cpu_list(text)) <= 65537
    assert integer(text) is None or isinstance(integer(text), int)
    assert all(":" not in key for key in fields(text))


def test_a_corrupt_range_is_bounded() -> None:
    assert cpu_list("0-999999999,5")[-1] == 65536
    assert cpu_list("7-3,x,,-1") == ()


def test_reading_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "cpu10").mkdir()
    (tmp_path / "cpu2").mkdir()
    (tmp_path / "cpufreq").mkdir()
    assert read(tmp_path) == read(tmp_path / "absent") == ""
    assert [number for number, _ in numbered(tmp_path, "cpu")] == [2, 10]
    assert numbered(tmp_path / "absent", "cpu") == []
