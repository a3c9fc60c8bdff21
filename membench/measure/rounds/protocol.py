"""The messages between the parent process and a worker process. A message is one line of JSON.

The parent sends requests to the worker's standard input. The worker answers on a separate pipe.
Only one of the two processes is active at a time, because the machine must be idle while a case is
timed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from membench.core.plain import dump, load
from membench.core.snapshot import Machine
from membench.host.storage.scratch import ScratchHandle
from membench.measure.rounds.earlier import EarlierRounds
from membench.results.case_result import CaseResult
from membench.results.plan import PlannedCase

T = TypeVar("T")


@dataclass(frozen=True)
class Hello:
    """The first message to a worker.

    Attributes:
        benches: names of benches. The worker compiles their kernels first.
        hold: whether a GPU starts only after all its work is queued.
    """

    machine: Machine
    scratch: ScratchHandle | None = None
    benches: tuple[str, ...] = ()
    hold: bool = True


@dataclass(frozen=True)
class RoundRequest:
    """A request to run one case in one round.

    Attributes:
        iters: the batch size of an earlier round; None if unknown.
        config: the configuration of a tuned case; empty for any other case.
        tune: whether to choose the best configuration instead of measuring. The answer has this
            configuration as its `detail`.
        earlier: the scatter of the case's earlier rounds; None if there were too few rounds.
        share: share of the usual samples, or of the usual seconds, that this round takes.
    """

    round: int
    case: PlannedCase
    iters: int | None = None
    config: dict[str, int] = field(default_factory=dict)
    tune: bool = False
    earlier: EarlierRounds | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        spent: whether the worker has lost its device and must be replaced.
    """

    unit: CaseResult
    spent: bool = False


def encode(message: Any) -> bytes:
    """``message`` (a dataclass) as one line of JSON."""
    return json.dumps(dump(message), separators=(",", ":")).encode() + b"\n"


def decode(kind: type[T], line: bytes) -> T:
    """Parse ``line``, one line of JSON, as a message of type ``kind``.

    Raises:
        ValueError: ``line`` is not JSON.
        SchemaError: ``line`` does not have the fields of ``kind``.
    """
    message: T = load(kind, json.loads(line))
    return message
