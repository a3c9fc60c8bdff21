"""The plan of a run, which is the first record of its journal.

Floor 1, plain data. `membench run --resume` needs nothing else.
"""

from __future__ import annotations

from membench.core.record import record
from membench.core.terms import Metric, Stat, Tier

MAX_ROUNDS = 1000
MAX_TIMEOUT = 7 * 86400.0
"""Maximum seconds for one case in one round."""
MAX_SEED = 2**63 - 1


@record
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


@record
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


@record
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
