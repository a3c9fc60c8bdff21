"""Check that membench could have written the plan of a journal."""

from __future__ import annotations

import math

from membench.core.errors import SchemaError
from membench.results.plan import (
    MAX_BYTES,
    MAX_ROUNDS,
    MAX_SEED,
    MAX_TIMEOUT,
    Pairing,
    Plan,
    PlannedCase,
)
from membench.results.schema import is_cell

_MAX_CASES = 100_000


def check(plan: Plan) -> None:
    """Reject a ``plan`` that membench cannot have written.

    Raises:
        SchemaError: a field is invalid; the message names the field.
    """
    cells = (("run_id", plan.run_id), ("machine", plan.machine), ("started", plan.started))
    wrong = [name for name, cell in cells if not is_cell(name, cell)]
    ranges = {
        "rounds": 1 <= plan.rounds <= MAX_ROUNDS,
        "seed": 0 <= plan.seed <= MAX_SEED,
        "timeout": 0 < plan.timeout <= MAX_TIMEOUT,
        "disk_budget": 0 <= plan.disk_budget <= MAX_BYTES,
        "pair": plan.pair is None or _is_pairing(plan.pair),
        "cases": 0 < len(plan.cases) <= _MAX_CASES
        and len({case.id for case in plan.cases}) == len(plan.cases),
    }
    wrong += [name for name, fits in ranges.items() if not fits]
    if wrong:
        raise SchemaError(f"'{wrong[0]}' of the plan is invalid")
    for case in plan.cases:
        if problem := _problem(case):
            raise SchemaError(f"{problem} of the case {case.id[:200]} is invalid")


def _is_pairing(pair: Pairing) -> bool:
    # A bare file name, so that membench reads and writes no other directory.
    name = pair.partner
    bare = bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
    return bare and pair.side in ("a", "b") and is_cell("run_id", pair.pair_id)


def _problem(case: PlannedCase) -> str:
    """The first invalid field of ``case``, in words; empty if all fields are valid."""
    sizes = (case.memory, case.disk, case.gpu_memory)
    fits = {
        "the id": is_cell("case", case.id),
        "the version": 1 <= case.version <= MAX_BYTES,
        "the time": math.isfinite(case.seconds) and case.seconds >= 0,
        "a size": all(0 <= size <= MAX_BYTES for size in sizes),
        "the GPU": case.gpu is None or 0 <= case.gpu < MAX_ROUNDS,
        "the number of rounds": 0 <= case.rounds <= MAX_ROUNDS,
        "a parameter": all(
            isinstance(value, str) or abs(value) <= MAX_BYTES for value in case.params.values()
        ),
    }
    return next((name for name, fine in fits.items() if not fine), "")
