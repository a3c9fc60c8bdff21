"""The machine's name in results: readable, stable, different for similar machines."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import UsageError
from membench.core.snapshot import Cpu, GpuIdentity, Gpus
from membench.machine.cpus.topology import read_cpu
from membench.machine.identity import check_label, device_name, former_slugs, machine_slug, slugify

Tree = dict[str, str]
Plant = Callable[[Mapping[str, str]], Path]

ALPHABET = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
PLAIN = Cpu("AMD EPYC", "x86_64", (), (0, 1), None, 2, (), "", "")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("AMD EPYC 9654 96-Core Processor", "amd-epyc-9654"),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "intel-xeon-e5-2680-v4"),
        ("Intel(R) Xeon(R) Platinum 8480C CPU @ 2.60GHz", "intel-xeon-platinum-8480c"),
        ("13th Gen Intel(R) Core(TM) i7-13700K", "intel-core-i7-13700k"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", "amd-ryzen-7-7840u"),
        ("AMD Ryzen 5 5600G with Radeon Graphics", "amd-ryzen-5-5600g"),
        ("NVIDIA Grace", "grace"),
        ("Arm Neoverse-V2", "arm-neoverse-v2"),
        ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
        ("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"),
        ("Tesla V100-SXM2-16GB", "tesla-v100-sxm2-16gb"),
    ],
)
def test_the_telling_part(model: str, name: str) -> None:
    assert device_name(model) == name


def test_a_slug_says_the_device_and_is_stable(plant: Plant, two_sockets: Tree) -> None:
    root = plant(two_sockets)
    cpu = read_cpu(root, affinity=range(8))
    slug = machine_slug(cpu, Gpus(), root)
    assert re.fullmatch(r"intel-xeon-platinum-8480c-8cpu-[0-9a-f]{6}", slug)
    assert machine_slug(cpu, Gpus(), root) == slug
    gpu = Gpus("580", "13.0", (GpuIdentity(0, "NVIDIA H100 80GB HBM3", "abc", 1, "9.0"),))
    assert re.fullmatch(r"h100-80gb-hbm3-[0-9a-f]{6}", machine_slug(cpu, gpu, root))
    assert machine_slug(cpu, gpu, root)[-6:] == slug[-6:]


def test_two_machines_of_a_kind_differ(plant: Plant) -> None:
    slugs = {
        machine_slug(PLAIN, Gpus(), plant({"etc/machine-id": digit * 32}))
        for digit in "0123456789abcdef"
    }
    assert len(slugs) == 16


@pytest.mark.parametrize("content", ["", "\n", "uninitialized\n", "short"])
def test_a_useless_machine_id_is_passed_over(plant: Plant, content: str) -> None:
    root = plant({"etc/machine-id": content})
    without = machine_slug(PLAIN, Gpus(), root)
    (root / "etc/machine-id").unlink()
    assert machine_slug(PLAIN, Gpus(), root) == without
    plant({"sys/class/dmi/id/product_uuid": "1-2-3"})
    assert machine_slug(PLAIN, Gpus(), root) != without


CLONED = {"etc/machine-id": "0123456789abcdef" * 2}
CARD = "sys/devices/pci0000:00/0000:00:1f.6/net/eno1"


def _card(address: str, path: str = CARD, assigned: str = "0") -> dict[str, str]:
    name = path.rpartition("/")[2]
    return {
        f"{path}/address": address,
        f"{path}/addr_assign_type": assigned,
        f"{path}/device/vendor": "0x8086",
        f"sys/class/net/{name}": f"-> ../../../{path}",
    }


HARDWARE: list[dict[str, str]] = [
    _card("3c:ec:ef:00:00:01"),
    {"sys/class/nvme/nvme0/serial": "S63CNF0T1"},
    {"sys/class/dmi/id/product_uuid": "1-2-3"},
    {"sys/block/vda/serial": "disk-1"},
    {"proc/device-tree/serial-number": "1421022057000\0"},
]


@pytest.mark.parametrize("tree", HARDWARE)
def test_clones_of_one_image_have_names_of_their_own(tmp_path: Path, tree: dict[str, str]) -> None:
    def name(folder: str, changes: Mapping[str, str]) -> str:
        root = tmp_path / folder
        for path, content in {**CLONED, **tree, **changes}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("-> "):
                (root / path).symlink_to(content.removeprefix("-> "))
            else:
                (root / path).write_text(content)
        return machine_slug(PLAIN, Gpus(), root)

    (key,) = (key for key in tree if key.endswith(("address", "serial", "number", "uuid")))
    first, again = name("a", {}), name("b", {})
    other = name("c", {key: tree[key].replace("1", "7")})
    assert first == again != other
    (tmp_path / "d/etc").mkdir(parents=True)
    (tmp_path / "d/etc/machine-id").write_text(CLONED["etc/machine-id"])
    assert former_slugs(PLAIN, Gpus(), tmp_path / "a") == (
        machine_slug(PLAIN, Gpus(), tmp_path / "d"),
    )
    assert former_slugs(PLAIN, Gpus(), tmp_path / "d") == ()


def test_clones_with_one_virtual_address_are_told_by_their_disks(plant: Plant) -> None:
    root = plant({**CLONED, **_card("52:54:00:12:34:56"), "sys/block/vda/serial": "disk-1"})
    first = machine_slug(PLAIN, Gpus(), root)
    plant({"sys/block/vda/serial": "disk-2"})
    assert machine_slug(PLAIN, Gpus(), root) != first


def test_a_new_disk_does_not_rename_a_machine_with_a_card_of_its_maker(plant: Plant) -> None:
    root = plant({**CLONED, **_card("3c:ec:ef:00:00:01")})
    first = machine_slug(PLAIN, Gpus(), root)
    plant({"sys/class/nvme/nvme0/serial": "S1"})
    assert machine_slug(PLAIN, Gpus(), root) == first


@pytest.mark.parametrize(
    "card",
    [
        _card("3c:ec:ef:00:00:01", assigned="1"),  # the address is random at every boot
        _card("3c:ec:ef:00:00:01", assigned="3"),  # the address was set by an administrator
        _card("3c:ec:ef:00:00:01", "sys/devices/pci0/usb1/1-1/net/enx0"),
        _card("00:00:00:00:00:00"),
        {"sys/class/net/lo/address": "00:00:00:00:00:00", "sys/class/net/lo/addr_assign_type": "0"},
    ],
)
def test_what_comes_and_goes_does_not_name_a_machine(plant: Plant, card: dict[str, str]) -> None:
    plain = machine_slug(PLAIN, Gpus(), plant(CLONED))
    assert machine_slug(PLAIN, Gpus(), plant(card)) == plain


def test_the_raw_id_and_the_host_name_stay_out(plant: Plant) -> None:
    root = plant({"etc/machine-id": "abcdef" * 5 + "ab", "etc/hostname": "alices-box"})
    slug = machine_slug(PLAIN, Gpus(), root)
    assert "abcdef" not in slug
    assert "alice" not in slug
    live = machine_slug(read_cpu(), Gpus())
    assert len(socket.gethostname()) < 4 or socket.gethostname() not in live


@given(st.text(), st.integers(1, 10**6), st.text())
def test_any_name_makes_a_slug(model: str, usable: int, gpu: str) -> None:
    nowhere = Path("/nonexistent")
    cpu = replace(PLAIN, model=model, usable=usable)
    assert ALPHABET.fullmatch(machine_slug(cpu, Gpus(), nowhere))
    gpus = Gpus(devices=(GpuIdentity(0, gpu, "", 0, ""),))
    assert ALPHABET.fullmatch(machine_slug(cpu, gpus, nowhere))
    assert not slugify(model) or ALPHABET.fullmatch(slugify(model))


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,39}", fullmatch=True).filter(lambda t: t != "reference")
)
def test_a_good_label_is_kept(text: str) -> None:
    assert check_label(text) == text


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("H100 Box", "h100-box"),
        ("", "a-z"),
        ("../../etc", "etc"),
        (".hidden", "hidden"),
        ("-o", "such as o"),
        ("a" * 41, "40"),
        ("a/b", "a-b"),
        ("box\n", "box"),
        ("\u6a5f\u5668", "a-z"),
        ("reference", "another"),
        ("Reference", "a-z"),
    ],
)
def test_a_bad_label_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_label(text)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value) + caught.value.hint


@given(st.text())
def test_a_label_is_returned_unchanged_or_refused(text: str) -> None:
    if ALPHABET.fullmatch(text) and text != "reference":
        assert check_label(text) == text
    else:
        with pytest.raises(UsageError):
            check_label(text)
