"""When to stop sampling: small pure objects that see the samples and answer with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class StopRule(Protocol):
    """Decides after every sample."""

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str:
        """Why to stop now, or empty to go on."""
        ...


@dataclass(frozen=True)
class FixedCount:
    """Stop after ``count`` samples, or after ``cap_s`` seconds with at least one."""

    count: int
    cap_s: float

    def reason(self, samples: Sequence[float], elapsed_s: float) -> str:
        """``count`` or ``wall-cap``."""
        if len(samples) >= self.count:
            return "count"
        if samples and elapsed_s >= self.cap_s:
            return "wall-cap"
        return ""
