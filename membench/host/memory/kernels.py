"""The compiled kernels of this subpackage."""

from __future__ import annotations

from membench.host.compiled.kernels import Kernels

host_chase = Kernels("membench.host.memory.chase_kernels")
host_streams = Kernels("membench.host.memory.stream_kernels")
host_traffic = Kernels("membench.host.memory.traffic_kernels")
