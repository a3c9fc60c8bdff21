"""The helpers write to every page of an array, and to nothing else."""

from __future__ import annotations

import mmap
from dataclasses import replace

import numpy as np
import pytest

from membench.core.snapshot import Machine
from membench.host.memory.backend import CpuBackend


@pytest.mark.parametrize("size", [1, 100, 4096, 4097, 12345, 1 << 20])
def test_every_page_is_written_once(cpu: CpuBackend, size: int) -> None:
    (memory,) = cpu.arrays("thp", [size])
    memory[:] = 1
    cpu.touch(memory, 1)
    assert np.flatnonzero(memory == 0).tolist() == [*range(0, size, mmap.PAGESIZE)]


def test_with_several_nodes_only_the_threads_of_the_case_touch(machine: Machine) -> None:
    memory = machine.memory
    nodes = (memory.nodes * 2 if memory.nodes else ())[:2]
    if len(nodes) < 2:
        pytest.skip("this kernel reports no NUMA nodes")
    backend = CpuBackend(replace(machine, memory=replace(memory, nodes=nodes)))
    assert backend.helpers(1) == 1
    backend.close()
