"""The compiled kernels of this subpackage."""

from __future__ import annotations

from membench.host.compiled.kernels import HostKernels

host_chase = HostKernels("membench.host.memory.chase_kernels")
host_streams = HostKernels("membench.host.memory.stream_kernels")
host_traffic = HostKernels("membench.host.memory.traffic_kernels")
