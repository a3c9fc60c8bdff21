"""The inputs of a statistic: random draws of measurements and assumptions.

The draws have the units that the models use (`assumptions.UNITS`).
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from copy import copy
from dataclasses import field, replace

import numpy as np

from membench.core.messages import tr
from membench.core.record import record
from membench.results.schema import Row
from membench.thesis.claims.assumptions import SUBSTITUTE, Assumptions
from membench.thesis.claims.device_names import device_key, device_slug
from membench.thesis.claims.draws import SEED, Floats, bootstrap, latin_hypercube
from membench.thesis.claims.evidence import EvidenceRows, find, machines
from membench.thesis.claims.ledger import Ledger
from membench.thesis.claims.pairs import MachinePair, find_pair, inverted

_NO_DATA, _NO_RECORD = tr("no data"), tr("no record")


class NoData(Exception):
    """An input of a statistic has no value.

    Attributes:
        why: short text that a report shows after the verdict, such as "no data".
        reason: the reason in words.
    """

    def __init__(self, reason: str, why: str = _NO_DATA) -> None:
        super().__init__(reason)
        self.reason = reason
        self.why = why


@record
class Loan:
    """A measurement of one machine that replaces a missing measurement of another machine.

    Attributes:
        values: [draws], SI units.
        peak: peak of the device, SI units; None if unknown.
        device: as in `Scenario`; empty if the measurement is not of a GPU.
    """

    values: Floats
    rows: tuple[Row, ...]
    peak: float | None
    device: str = ""


@record(kw_only=True)
class Scenario:
    """The inputs of all statistics for one machine.

    Attributes:
        values: input -> [draws]. ``pair-rate`` is [case, draws].
        peaks: measurement -> peak of the device, SI units.
        missing: input without values -> the reason.
        device: short name of the measured device in the assumptions; empty if unknown.
        rows: measurement -> the rows with the values. A measurement that an assumption replaces has
            no entry.
        pair_cases: the cases of ``pair-rate``, in order.
        pair_note: a caveat about the two machines of ``pair-rate``.
        dates: inputs whose values are dates, in years.
        lent: measurement that is missing here -> the measurement of another machine.
        borrowed: inputs that `borrowing` took from ``lent``.
    """

    values: Mapping[str, Floats]
    peaks: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    device: str = ""
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    pair_cases: tuple[str, ...] = ()
    pair_note: str = ""
    dates: frozenset[str] = frozenset()
    seed: int = SEED
    lent: Mapping[str, Loan] = field(default_factory=dict)
    borrowed: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Floats:
        """The draws ``values[name]``.

        Raises:
            NoData: ``name`` has no values.
        """
        if name in self.values:
            return self.values[name]
        if name.startswith("record."):
            raise NoData(
                self.missing.get(name, tr("there is no record '{name}'", name=name)), _NO_RECORD
            )
        why = tr("one machine") if name.startswith("pair-") else _NO_DATA
        raise NoData(self.missing.get(name, tr("{name} is not known", name=name)), why)

    def of_device(self, what: str) -> Floats:
        """[draws] values of an assumption about the measured device, such as ``memory``.

        Raises:
            NoData: the value is unknown.
        """
        if not self.device:
            raise NoData(tr("the {what} of the measured device is not known", what=what))
        return self[device_key(self.device, what)]

    def efficiency(self, name: str) -> Floats:
        """[draws] values of the measured rate ``name``, as fractions of the device's peak.

        Raises:
            NoData: the rate or the peak is unknown.
        """
        values = self[name]
        if name not in self.peaks:
            raise NoData(tr("{name}: the peak of the device is not known", name=name))
        return values / self.peaks[name]

    def borrowing(self) -> Scenario:
        """This scenario, completed with the measurements in ``lent``."""
        if not self.lent:
            return self
        lent = self.lent
        return replace(
            self,
            values={**self.values, **{name: loan.values for name, loan in lent.items()}},
            peaks={
                **self.peaks,
                **{name: loan.peak for name, loan in lent.items() if loan.peak is not None},
            },
            missing={name: why for name, why in self.missing.items() if name not in lent},
            device=self.device or next((loan.device for loan in lent.values() if loan.device), ""),
            rows={**self.rows, **{name: loan.rows for name, loan in lent.items()}},
            lent={},
            borrowed=frozenset(lent),
        )

    def only(self, names: Container[str]) -> Scenario:
        """A scenario of only the inputs ``names``, without a machine."""
        values = {name: values for name, values in self.values.items() if name in names}
        return Scenario(values=values, dates=self.dates, seed=self.seed)

    def moved(self, name: str, step: float) -> Scenario:
        """This scenario with ``name`` multiplied by e^step; a date is moved by ``step`` years."""
        old = self.values[name]
        new = old + step if name in self.dates else old * math.exp(step)
        moved = copy(self)  # faster than `replace`
        object.__setattr__(moved, "values", {**self.values, name: new})
        return moved


def assumed(entries: Assumptions, draws: int, seed: int) -> dict[str, Floats]:
    """Name of an assumption -> [draws] random draws, which form a Latin hypercube."""
    return {
        name: entry.scale * latin_hypercube(name, entry.low, entry.high, draws=draws, seed=seed)
        for name, entry in entries.items()
    }


def subjects(
    ledger: Ledger, entries: Assumptions, rows: Sequence[Row], draws: int, seed: int
) -> dict[str, Scenario]:
    """Machine -> scenario.

    Without ``rows``, the only machine has the name "", and its scenario contains only assumptions.
    """
    base = assumed(entries, draws, seed)
    by_machine = machines(rows) or {"": ()}
    slugs = {name: device_slug(own, entries) for name, own in by_machine.items()}

    def flops(machine: str) -> float | None:
        entry = entries.get(device_key(slugs[machine], "bf16"))
        return entry.value * entry.scale if entry else None

    scenarios = {}
    for machine, own in by_machine.items():
        scenario = _scenario(ledger, entries, base, own, slugs[machine], seed)
        others = [name for name in by_machine if name != machine]
        pair = find_pair(
            own,
            [by_machine[name] for name in others],
            ledger.inputs,
            (flops(machine), [flops(name) for name in others]),
        )
        scenarios[machine] = (
            _with_pair(scenario, pair, draws, seed)
            if isinstance(pair, MachinePair)
            else (
                replace(
                    scenario,
                    missing={
                        **scenario.missing,
                        "pair-bandwidth": pair.reason,
                        "pair-rate": pair.reason,
                    },
                )
            )
        )
    return {
        name: replace(scenario, lent=_lent(name, scenarios, ledger))
        for name, scenario in scenarios.items()
    }


def _lent(name: str, scenarios: Mapping[str, Scenario], ledger: Ledger) -> dict[str, Loan]:
    """Measurements of other machines that replace missing measurements of the machine ``name``.

    If the GPU of ``name`` was measured, GPU measurements come only from machines with the same GPU.
    Otherwise, they all come from the first other machine with GPU measurements.
    """
    own = scenarios[name]
    others = [scenario for other, scenario in scenarios.items() if other != name]
    of_gpu = [need.name for need in ledger.inputs.values() if need.part == _GPU]
    if any(key in own.rows for key in of_gpu):
        gpus = [scenario for scenario in others if own.device and scenario.device == own.device]
    else:
        gpus = [scenario for scenario in others if any(key in scenario.rows for key in of_gpu)][:1]
    found: dict[str, Loan] = {}
    for need in ledger.inputs.values():
        if need.machines > 1 or need.name in own.values:
            continue
        for scenario in gpus if need.part == _GPU else others:
            if need.name in scenario.rows:
                device = scenario.device if need.part == _GPU else ""
                found[need.name] = Loan(
                    scenario.values[need.name],
                    scenario.rows[need.name],
                    scenario.peaks.get(need.name),
                    device,
                )
                break
    return found


_GPU = "GPU"  # in `Input.part`


def _scenario(
    ledger: Ledger,
    entries: Assumptions,
    base: Mapping[str, Floats],
    rows: Sequence[Row],
    device: str,
    seed: int,
) -> Scenario:
    values = dict(base)
    peaks: dict[str, float] = {}
    missing: dict[str, str] = {}
    seen: dict[str, tuple[Row, ...]] = {}
    draws = len(next(iter(base.values())))
    for name, need in ledger.inputs.items():
        if need.machines > 1:
            continue
        found = find(need, rows)
        if found.rows:
            values[name] = _draw(found, draws, seed)
            seen[name] = found.rows
        elif SUBSTITUTE + name in entries:
            values[name] = base[SUBSTITUTE + name]
        else:
            missing[name] = found.missing
        stated = found.peak
        spec = entries.get(device_key(device, need.peak)) if need.peak else None
        if stated is not None:
            peaks[name] = stated
        elif spec is not None:
            peaks[name] = spec.value * spec.scale
    return Scenario(
        values=values,
        peaks=peaks,
        missing=missing,
        device=device,
        rows=seen,
        dates=frozenset(name for name, entry in entries.items() if entry.unit == "year"),
        seed=seed,
    )


def _with_pair(scenario: Scenario, pair: MachinePair, draws: int, seed: int) -> Scenario:
    def ratio(here: EvidenceRows, there: EvidenceRows) -> Floats:
        first, second = (_draw(found, draws, seed) for found in (here, there))
        return first / second if inverted(here) else second / first

    return replace(
        scenario,
        values={
            **scenario.values,
            "pair-bandwidth": ratio(*pair.bandwidth),
            "pair-rate": np.stack([ratio(*both) for both in pair.rates.values()]),
        },
        rows={
            **scenario.rows,
            "pair-bandwidth": tuple(row for found in pair.bandwidth for row in found.rows),
            "pair-rate": tuple(
                row for both in pair.rates.values() for found in both for row in found.rows
            ),
        },
        pair_cases=tuple(pair.rates),
        pair_note=""
        if pair.compared
        else tr("It is unknown whether both machines have equal compute."),
    )


def _draw(found: EvidenceRows, draws: int, seed: int) -> Floats:
    row = found.rows[0]
    name = f"{row.machine} {row.case} {row.metric} {row.stat}"
    return bootstrap(name, found.rounds, draws=draws, seed=seed)
