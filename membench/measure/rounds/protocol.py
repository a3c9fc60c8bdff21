"""The protocol between parent and worker: one JSON object per line, strictly in turn.

The parent sends requests to the worker's standard input; the worker answers on a separate pipe.
They take turns because the machine must be idle while a case is timed: the parent writes the
journal and the screen, and only then sends the next request.
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
    """The first message, with everything that the worker needs for all requests.

    Attributes:
        benches: names of benches whose kernels are compiled ahead.
        hold: whether to hold a GPU's queue while it is filled.
    """

    machine: Machine
    scratch: ScratchHandle | None = None
    benches: tuple[str, ...] = ()
    hold: bool = True


@dataclass(frozen=True)
class RoundRequest:
    """A request to run one case in one round.

    Attributes:
        iters: the batch size of an earlier round, if there was one.
        config: the configuration of a tuned case.
        tune: choose the configuration, and answer with a case result whose `detail` is the
            configuration.
    """

    round: int
    case: PlannedCase
    iters: int | None = None
    config: dict[str, int] = field(default_factory=dict)
    tune: bool = False


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        spent: whether the worker lost its device and must be replaced.
    """

    unit: CaseResult
    spent: bool = False


def encode(message: Any) -> bytes:
    """``message`` (a dataclass) as one line."""
    return json.dumps(dump(message), separators=(",", ":")).encode() + b"\n"


def decode(kind: type[T], line: bytes) -> T:
    """The message of type ``kind`` in ``line``."""
    message: T = load(kind, json.loads(line))
    return message
