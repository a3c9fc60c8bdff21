"""What parent and worker say to each other: one JSON object a line, strictly in turns.

The parent asks on the worker's standard input, the worker answers on a pipe of
its own.  Turns, because nothing may happen on the machine while a case is
timed: the parent journals, draws and only then asks for the next case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from membench.core.plain import dump, load
from membench.core.snapshot import Machine
from membench.host.storage.scratch import ScratchHandle
from membench.results.case_result import CaseResult
from membench.results.plan import PlannedCase

T = TypeVar("T")


@dataclass(frozen=True)
class Hello:
    """The first message: what the worker must know once.

    Attributes:
        benches: whose kernels are compiled ahead.
        hold: a GPU's queue is held while it is filled.
    """

    machine: Machine
    scratch: ScratchHandle | None = None
    benches: tuple[str, ...] = ()
    hold: bool = True


@dataclass(frozen=True)
class RoundRequest:
    """Run one case in one round.

    Attributes:
        iters: the batch of an earlier round, if there was one.
        config: how a tuned case is launched.
        tune: find that out, and answer with a unit that carries it as its `detail`.
    """

    round: int
    case: PlannedCase
    iters: int | None = None
    config: dict[str, int] = field(default_factory=dict)
    tune: bool = False


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        spent: the worker lost its device and must be replaced.
    """

    unit: CaseResult
    spent: bool = False


def encode(message: Any) -> bytes:
    """``message`` (a dataclass) as one line."""
    return json.dumps(dump(message), separators=(",", ":")).encode() + b"\n"


def decode(kind: type[T], line: bytes) -> T:
    """The message of ``kind`` in ``line``."""
    message: T = load(kind, json.loads(line))
    return message
