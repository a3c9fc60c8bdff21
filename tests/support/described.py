"""Machine snapshots built from a few numbers: sockets, caches, memory."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.snapshot import Cache, Core, Cpu, GpuIdentity, Gpus, Machine, Memory, Node
from membench.core.units import GIB, MIB

Staircase = tuple[tuple[int, float], ...]


def machine(
    last_levels: Sequence[float],
    cpus: int,
    *,
    memory: float = 512,
    level: int = 3,
    sockets: int = 1,
    usable: int | None = None,
    staircase: Staircase = (),
    gpu: float | None = None,
) -> Machine:
    """A machine with ``cpus`` CPUs and the last-level caches ``last_levels``, in MiB.

    Args:
        last_levels: sizes of the last-level caches. Equally many consecutive CPUs share each cache.
            Empty if sysfs shows no caches.
        memory: GiB of memory, all of it available.
        gpu: GiB of GPU memory; None without a GPU.
    """
    count = max(1, len(last_levels))
    groups = [tuple(range(n * cpus // count, (n + 1) * cpus // count)) for n in range(count)]
    caches = tuple(
        Cache(level, "unified", int(size * MIB), 64, group)
        for size, group in zip(last_levels, groups, strict=False)
    )
    mine = tuple(range(usable or cpus))
    per = cpus // sockets
    return Machine(
        slug="m",
        cpu=Cpu(
            model="x",
            architecture="x86_64",
            cores=tuple(Core(cpu, cpu, cpu // per, cpu // per) for cpu in range(cpus)),
            affinity=mine,
            quota=None,
            usable=len(mine),
            caches=caches,
            governor="",
            hypervisor="",
            staircase=staircase,
        ),
        memory=Memory(
            total=int(memory * GIB),
            available=int(memory * GIB),
            cgroup_limit=None,
            cgroup_used=None,
            page=4096,
            huge_page=2 * MIB,
            thp="madvise",
            hugetlb_total=0,
            hugetlb_free=0,
            nodes=tuple(
                Node(
                    node,
                    tuple(range(node * per, (node + 1) * per)),
                    int(memory * GIB / sockets),
                    tuple(10 if other == node else 20 for other in range(sockets)),
                )
                for node in range(sockets)
            ),
        ),
        gpus=Gpus()
        if gpu is None
        else Gpus("580", "13.0", (GpuIdentity(0, "Some GPU", "0" * 12, int(gpu * GIB), "9.0"),)),
        filesystems=(),
        system="",
        kernel="",
        libc="",
        python="",
    )


def staircase(*steps: tuple[int, float], top: int = 256) -> Staircase:
    """Measured latencies for footprints of 1, 2, 4, ... ``top`` MiB.

    Args:
        steps: (smallest footprint in MiB, latency in ns), in ascending order.
    """
    sizes = [1 << n for n in range(top.bit_length())]
    return tuple((size * MIB, [ns for begin, ns in steps if begin <= size][-1]) for size in sizes)
