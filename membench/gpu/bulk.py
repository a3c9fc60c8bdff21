"""Bulk copies: one instruction makes the tensor memory accelerator (TMA) copy a block of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

_CAPABILITY = 90


def require_bulk(gpu: Gpu) -> None:
    """Skip the case if ``gpu`` has no bulk copies."""
    if gpu.properties.capability < _CAPABILITY:
        skip("bulk copies need compute capability 9.0 or newer")
