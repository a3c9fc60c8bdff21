"""The plan of a run, which is the first record of its journal.

Floor 1, plain data. `membench run --resume` needs nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from membench.core.errors import SchemaError
from membench.core.terms import Metric, Stat, Tier
from membench.results.schema import is_cell

MAX_ROUNDS = 1000
MAX_TIMEOUT = 7 * 86400.0
"""Maximum seconds for one case in one round."""
MAX_SEED = 2**63 - 1
_MAX_BYTES = 2**63 - 1
_MAX_CASES = 100_000


@dataclass(frozen=True)
class PlannedCase:
    """A case of the plan.

    Attributes:
        skipped: why the case cannot run on this machine; empty if it can.
        memory: bytes of memory that the case holds; disk: bytes of its scratch file.
        gpu_memory: bytes of GPU memory that the case holds.
        tuned: whether its configuration is chosen before the first round.
        gpu: index among the visible GPUs; None for a case without a GPU.
        rounds: number of rounds in which the case is measured, spread over the run; 0 for all.
        flags: flags of its rows that are known before the measurement.
    """

    id: str
    bench: str
    params: dict[str, str | int]
    version: int
    tier: Tier
    yields: tuple[tuple[Metric, Stat], ...]
    seconds: float
    memory: int
    disk: int
    backend: str
    skipped: str = ""
    gpu_memory: int = 0
    tuned: bool = False
    gpu: int | None = None
    rounds: int = 0
    flags: tuple[str, ...] = ()

    @property
    def device_backend(self) -> str:
        """The backend of the case, for rows without a measurement.

        ``cuda-storage`` is for cases that use a GPU and a scratch file.
        """
        return self.backend.partition("-")[0]


@dataclass(frozen=True)
class Pairing:
    """How a run is paired with another run; the rounds of both are measured in turns.

    Attributes:
        pair_id: an id that both runs share.
        side: ``a`` or ``b``.
        partner: name of the other run's results file, in the same directory.
        versus: how b differs from a, as in ``--versus``; empty if only the set-up commands differ.
        setup_a, setup_b: the commands that are run before each round of a side.
    """

    pair_id: str
    side: str
    partner: str
    versus: str = ""
    setup_a: str = ""
    setup_b: str = ""

    @property
    def setup(self) -> str:
        """The set-up command of this side."""
        return self.setup_a if self.side == "a" else self.setup_b


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        run_id: ``<UTC>-<4 hex>``, so that files can be concatenated.
        seed: seed of the random order of the cases in every round.
        timeout: maximum seconds for one case in one round.
        software: the `membench` column: version, and ``+g<hash>`` in a checkout.
        scratch: directory of the scratch file; empty if no case needs one.
        disk_budget: maximum bytes of the scratch file, and of all writes together.
        hold: whether a GPU's queue is blocked until it is filled.
        pair: the pairing, if the run is one side of a paired run.
    """

    run_id: str
    machine: str
    profile: str
    rounds: int
    seed: int
    timeout: float
    device: str
    software: str
    argv: tuple[str, ...]
    started: str
    cases: tuple[PlannedCase, ...]
    scratch: str = ""
    disk_budget: int = 0
    hold: bool = True
    pair: Pairing | None = None

    def rounds_of(self, case: PlannedCase) -> int:
        """Number of rounds in which ``case`` is measured."""
        return min(case.rounds or self.rounds, self.rounds)

    def measures(self, case: PlannedCase, round_: int) -> bool:
        """Whether ``case`` is measured in round ``round_``, numbered from 1.

        The rounds of a case are spread evenly, beginning with the first, so that a drift of the
        machine affects all cases alike.
        """
        return (round_ - 1) * self.rounds_of(case) % self.rounds < self.rounds_of(case)


def check(plan: Plan) -> None:
    """Refuse a ``plan`` that membench cannot have made; the journal may have been edited.

    Raises:
        SchemaError: a value is out of range; the one-line message names it.
    """
    cells = (("run_id", plan.run_id), ("machine", plan.machine), ("started", plan.started))
    wrong = [name for name, cell in cells if not is_cell(name, cell)]
    ranges = {
        "rounds": 1 <= plan.rounds <= MAX_ROUNDS,
        "seed": 0 <= plan.seed <= MAX_SEED,
        "timeout": 0 < plan.timeout <= MAX_TIMEOUT,
        "disk_budget": 0 <= plan.disk_budget <= _MAX_BYTES,
        "pair": plan.pair is None or _is_pairing(plan.pair),
        "cases": 0 < len(plan.cases) <= _MAX_CASES
        and len({case.id for case in plan.cases}) == len(plan.cases),
    }
    wrong += [name for name, fits in ranges.items() if not fits]
    if wrong:
        raise SchemaError(f"the plan's {wrong[0]} is invalid")
    for case in plan.cases:
        if problem := _problem(case):
            raise SchemaError(f"{problem} of the case {case.id[:200]} is invalid")


def _is_pairing(pair: Pairing) -> bool:
    """Whether the pairing is valid.

    The partner must be in the same directory, so that no other directory is read or written.
    """
    name = pair.partner
    bare = bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
    return bare and pair.side in ("a", "b") and is_cell("run_id", pair.pair_id)


def _problem(case: PlannedCase) -> str:
    """The first field of ``case`` that is out of range; empty if none is."""
    sizes = (case.memory, case.disk, case.gpu_memory)
    fits = {
        "the id": is_cell("case", case.id),
        "the version": 1 <= case.version <= _MAX_BYTES,
        "the time": math.isfinite(case.seconds) and case.seconds >= 0,
        "a size": all(0 <= size <= _MAX_BYTES for size in sizes),
        "the GPU": case.gpu is None or 0 <= case.gpu < MAX_ROUNDS,
        "the number of rounds": 0 <= case.rounds <= MAX_ROUNDS,
        "a parameter": all(
            isinstance(value, str) or abs(value) <= _MAX_BYTES for value in case.params.values()
        ),
    }
    return next((name for name, fine in fits.items() if not fine), "")
