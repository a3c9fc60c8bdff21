"""The plan of a run: the journal's first record.

Floor 1, plain data. `membench run --resume` needs nothing else.
"""

from __future__ import annotations

from membench.core.record import record
from membench.core.terms import Metric, Stat, Tier

MAX_ROUNDS = 1000
MAX_TIMEOUT = 7 * 86400.0
"""Most seconds of one case in one round."""
MAX_SEED = 2**63 - 1


@record
class PlannedCase:
    """A case of the plan.

    Attributes:
        skipped: why it cannot run on this machine, empty if it can.
        memory: bytes of memory that it holds; disk: bytes of scratch file.
        gpu_memory: bytes of a GPU's memory that it holds.
        tuned: its configuration is chosen before the first round.
        gpu: index among the visible GPUs; None for a case that needs none.
        rounds: rounds that it is measured in, spread over the run; 0 = all rounds.
        flags: of its rows, as far as known before the measurement.
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
        """The backend of the case, for a row without a measurement.

        ``cuda-storage`` is a GPU that is given a scratch file.
        """
        return self.backend.partition("-")[0]


@record
class Pairing:
    """How a run belongs to another one, whose rounds were measured in turns with its own.

    Attributes:
        pair_id: the same in both.
        side: ``a`` or ``b``.
        partner: name of the other's results file, in the same directory.
        versus: in what b differs, as ``--versus`` had it; empty where the commands alone differ.
        setup_a, setup_b: the commands that were run before each round of a side.
    """

    pair_id: str
    side: str
    partner: str
    versus: str = ""
    setup_a: str = ""
    setup_b: str = ""

    @property
    def setup(self) -> str:
        """The command of this side."""
        return self.setup_a if self.side == "a" else self.setup_b


@record
class Plan:
    """The plan of a run.

    Attributes:
        run_id: ``<UTC>-<4 hex>``, so that files can be concatenated.
        seed: of the order of the cases in every round.
        timeout: most seconds of one case in one round.
        software: the `membench` column: version, and ``+g<hash>`` in a checkout.
        scratch: directory of the scratch file, empty if no case needs one.
        disk_budget: most bytes of the scratch file, and of the writes of all cases together.
        hold: hold a GPU's queue while it is filled.
        pair: set if the run is one side of a paired run.
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
        """The number of rounds that ``case`` is measured in."""
        return min(case.rounds or self.rounds, self.rounds)

    def measures(self, case: PlannedCase, round_: int) -> bool:
        """Whether ``case`` is measured in that round, which counts from 1.

        The rounds of a case are spread evenly, beginning with the first, so that a drift of the
        machine affects all cases alike.
        """
        return (round_ - 1) * self.rounds_of(case) % self.rounds < self.rounds_of(case)
