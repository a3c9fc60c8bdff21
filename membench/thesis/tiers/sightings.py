"""Records which blocks were requested, for tiers that admit a block on the second use."""

from __future__ import annotations

from membench.thesis.replay.run_parts import Run
from membench.thesis.tiers.run_lru import RunLru


class Sightings:
    """Records which blocks were in at least one request, and which were in at least two."""

    def __init__(self) -> None:
        self._once = RunLru()
        self._again = RunLru()

    def see(self, scope: int, runs: list[Run]) -> None:
        """Record a request for ``runs``, in which no block may occur twice."""
        for run in runs:
            for piece in self._once.find(scope, *run):
                part = piece.first, piece.last
                self._again.take(scope, *part)
                self._again.push(scope, part, 0.0)
            self._once.take(scope, *run)
            self._once.push(scope, run, 0.0)

    def again(self, scope: int, run: Run) -> list[Run]:
        """The blocks of ``run`` that at least two requests named, as runs in order."""
        found = self._again.find(scope, *run)
        return sorted((max(one.first, run[0]), min(one.last, run[1])) for one in found)
