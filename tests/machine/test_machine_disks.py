"""From the device of a filesystem to its disks, in recorded sysfs trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.machine.disks.devices import Disk, read_disks

Plant = Callable[[Mapping[str, str]], Path]
BLOCK = "sys/class/block"

NVME = {
    "sys/devices/nvme0n1/queue/rotational": "0\n",
    "sys/devices/nvme0n1/queue/scheduler": "[none] mq-deadline kyber bfq \n",
    "sys/devices/nvme0n1/queue/write_cache": "write through\n",
    "sys/devices/nvme0n1/queue/nr_requests": "1023\n",
    "sys/devices/nvme0n1/device/model": "Some SSD 990   PRO    \n",
    "sys/devices/nvme0n1/nvme0n1p2/partition": "2\n",
    f"{BLOCK}/nvme0n1": "-> ../../devices/nvme0n1",
    f"{BLOCK}/nvme0n1p2": "-> ../../devices/nvme0n1/nvme0n1p2",
}
HDD = {
    "sys/devices/sda/queue/rotational": "1\n",
    "sys/devices/sda/queue/scheduler": "none [mq-deadline]\n",
    f"{BLOCK}/sda": "-> ../../devices/sda",
}
SSD = Disk(
    name="nvme0n1",
    model="Some SSD 990 PRO",
    rotational=False,
    scheduler="none",
    schedulers=("none", "mq-deadline", "kyber", "bfq"),
    write_cache="write through",
    requests=1023,
)


@pytest.mark.parametrize("device", ["/dev/nvme0n1p2", "/dev/nvme0n1"])
def test_a_partition_leads_to_its_disk(plant: Plant, device: str) -> None:
    assert read_disks(device, plant(NVME)) == (SSD,)


def test_an_encrypted_volume_on_an_array_leads_to_all_its_disks(plant: Plant) -> None:
    volume = {
        f"{BLOCK}/dm-1/slaves/dm-0/dm/name": "crypt",
        f"{BLOCK}/dm-0/slaves/md0/md/level": "raid1",
        f"{BLOCK}/md0/slaves/nvme0n1p2/partition": "2",
        f"{BLOCK}/md0/slaves/sda/size": "1",
    }
    first, second = read_disks("/dev/dm-1", plant(NVME | HDD | volume))
    assert first == SSD
    assert second == Disk(
        "sda", rotational=True, scheduler="mq-deadline", schedulers=("none", "mq-deadline")
    )


def test_a_btrfs_of_several_devices_leads_to_all_of_them(plant: Plant) -> None:
    spanned = {
        "sys/fs/btrfs/0b1d/devices/nvme0n1p2/size": "1",
        "sys/fs/btrfs/0b1d/devices/sda/size": "1",
        "sys/fs/btrfs/features/x": "",
    }
    tree = plant(NVME | HDD | spanned)
    assert [disk.name for disk in read_disks("/dev/nvme0n1p2", tree)] == ["nvme0n1", "sda"]


def test_devices_that_point_at_each_other_come_to_an_end(plant: Plant) -> None:
    loop = {f"{BLOCK}/dm-0/slaves/dm-1/x": "", f"{BLOCK}/dm-1/slaves/dm-0/x": ""}
    assert read_disks("/dev/dm-0", plant(loop)) == ()


def test_what_the_disk_does_not_say_is_empty(plant: Plant) -> None:
    tree = {f"{BLOCK}/vda/queue/scheduler": "none\n", f"{BLOCK}/vda/queue/rotational": "?\n"}
    assert read_disks("/dev/vda", plant(tree)) == (
        Disk("vda", scheduler="none", schedulers=("none",)),
    )


@pytest.mark.parametrize("device", ["", "/dev/", "/dev/sdz"])
def test_an_unknown_device_has_no_disk(plant: Plant, device: str) -> None:
    assert read_disks(device, plant(HDD)) == ()
