"""The plan of a run, which is the first record of the run's journal."""

from __future__ import annotations

from membench.core.record import record
from membench.core.terms import Metric, Stat, Tier

MAX_ROUNDS = 1000
MAX_TIMEOUT = 7 * 86400.0
"""Maximum time of one case in one round, in seconds."""
MAX_SEED = 2**63 - 1
MAX_BYTES = 2**63 - 1


@record
class PlannedCase:
    """A case that a run will measure or skip.

    Attributes:
        seconds: estimated seconds for the case in one round.
        memory: bytes of host memory that the case allocates.
        disk: bytes of the scratch file that the case uses.
        backend: ``cpu``, ``cuda``, ``storage`` or ``cuda-storage``.
        skipped: why the case cannot run on this machine; empty if the case can run.
        gpu_memory: bytes of GPU memory that the case allocates.
        tuned: whether membench chooses the configuration of the case before the first round.
        gpu: index among the visible GPUs; None for a case without a GPU.
        rounds: number of rounds in which the case is measured; 0 for all rounds of the run.
        flags: flags that are known before the measurement.
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
        """`backend`, but ``cuda`` instead of ``cuda-storage``; for rows without measured values."""
        return self.backend.partition("-")[0]


@record
class Pairing:
    """The pairing of a run with another run. The rounds of the two runs alternate.

    Attributes:
        side: ``a`` or ``b``.
        partner: name of the other run's results file, in the same directory.
        versus: the difference of b from a, as in ``--versus``; empty if only the set-up commands
            differ.
        setup_a, setup_b: the command before each round of a, and the command before each round of
            b; empty for no command.
    """

    pair_id: str
    side: str
    partner: str
    versus: str = ""
    setup_a: str = ""
    setup_b: str = ""

    @property
    def setup(self) -> str:
        return self.setup_a if self.side == "a" else self.setup_b


@record
class Plan:
    """The cases that a run will measure, and the settings of the run.

    Attributes:
        run_id: ``<UTC>-<4 hexadecimal digits>``.
        seed: seed of the random order of the cases in every round.
        timeout: maximum seconds for one case in one round.
        device: the option ``--device``: ``auto``, ``cpu``, ``all`` or ``cuda:N``.
        software: value of the column `membench`: the version, followed by ``+g<hash>`` in a
            checkout.
        scratch: directory of the scratch file; empty if no case needs a scratch file.
        disk_budget: maximum bytes of the scratch file. A multiple of this number limits the sum of
            all writes.
        hold: whether a GPU starts only after all its work is queued.
        pair: the pairing with another run; None if the run is not paired.
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
        return min(case.rounds or self.rounds, self.rounds)

    def measures(self, case: PlannedCase, round_: int) -> bool:
        """Whether ``case`` is measured in round ``round_``, numbered from 1.

        The rounds of a case are spread evenly, so that a drift of the machine affects all cases
        equally.
        """
        return (round_ - 1) * self.rounds_of(case) % self.rounds < self.rounds_of(case)
