"""Collects all facts of the snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from membench.core.snapshot import Machine
from membench.machine import software
from membench.machine.cgroup import read_limits
from membench.machine.cpus.topology import read_cpu
from membench.machine.disks.filesystem import read_filesystem
from membench.machine.gpus.cuda_sizes import with_sizes_of_cuda
from membench.machine.gpus.describe import read_gpus, with_host_memory
from membench.machine.gpus.links import read_links
from membench.machine.identity import former_slugs, machine_slug
from membench.machine.kernel_text import read
from membench.machine.memory import read_memory
from membench.machine.nodes import of_the_host, seen_together

HERE = Path("/")


def collect(paths: Sequence[Path] = (), root: Path = HERE) -> Machine:
    """Read the present state of the machine under ``root``, and the filesystems of ``paths``."""
    limits = read_limits(root)
    cpu = read_cpu(root, limits)
    memory = read_memory(root, limits)
    gpus = with_host_memory(read_gpus(root), memory.total)
    if root == HERE:  # CUDA describes the real machine, not the machine under another root
        gpus = with_sizes_of_cuda(gpus)
    memory = of_the_host(replace(memory, nodes=seen_together(memory.nodes, cpu, gpus)))
    return Machine(
        slug=machine_slug(cpu, gpus, root),
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        filesystems=tuple(read_filesystem(path, root) for path in paths),
        system=software.read_system(root),
        kernel=software.read_kernel(root),
        libc=software.libc(),
        python=software.python(),
        load=_load(root),
        packages=software.packages(),
        links=read_links(gpus, root),
        former=former_slugs(cpu, gpus, root),
    )


def _load(root: Path) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in read(root / "proc/loadavg").split()[:3])
    except ValueError:
        return ()
