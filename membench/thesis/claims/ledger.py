"""The ledger: all claims in falsifiable form, loaded from `claims.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from membench.core.errors import MembenchError, UsageError
from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import ClaimClass, Metric, Stat, Tier
from membench.thesis.claims.rule import Direction, VerdictThresholds


class LedgerError(MembenchError):
    """`claims.toml` is invalid."""


@record(kw_only=True)
class Input:
    """A measurement that claims use by name.

    Attributes:
        select: globs of case ids, as in `--select`. The first glob with an `ok` row counts.
        part: the component of the machine that must be measured: GPU, SSD, host memory.
        peak: field of ``device.<slug>`` with the peak of the device, such as ``bandwidth``; empty
            if there is none.
        machines: 2 if the input is a ratio between two machines, otherwise 1.
        typical: approximate value on an H100, such as ``700 TFLOP/s``, for examples of `--assume`.
        full: whether only the full profile has the cases of the first glob of ``select``.
    """

    name: str
    what: str
    select: tuple[str, ...]
    metric: Metric
    part: str
    stat: Stat = Stat.MEDIAN
    peak: str = ""
    machines: int = 1
    typical: str = ""
    full: bool = False

    @property
    def dimension(self) -> str:
        """The unit that the models use for this input."""
        return _DIMENSIONS[self.metric]


_DIMENSIONS = {
    Metric.BANDWIDTH: "B/s",
    Metric.FLOPS: "FLOP/s",
    Metric.LATENCY: "s",
    Metric.IOPS: "1/s",
    Metric.RATE: "1/s",
    Metric.ENERGY: "1",
}


@record(kw_only=True)
class Awaited:
    """A quantity that would decide a part of a claim, but that no one has published yet.

    Attributes:
        what: the quantity in words.
        example: a value in ``unit`` that would decide the part, for examples of `--assume`.
    """

    name: str
    what: str
    unit: str
    example: float


@record(kw_only=True)
class Part:
    """One part of a claim: a single proposition.

    Attributes:
        id: the claim's id with a letter; without the letter if the claim has only one part.
        decided_by: the statistic in words.
        statistic: name in `STATISTICS`; empty if no statistic can decide the part.
        thresholds: None if and only if ``statistic`` is empty.
        assumptions: names of the assumptions and records that the statistic uses.
        device: fields of the measured device that the statistic uses (``device.<slug>.<field>``).
        rests_on: the measurements and assumptions whose evidence must be strong enough for a
            verdict; empty for all.
        traces: whether the statistic replays the built-in traces.
        waits_for: the evidence that would decide the part, or why membench cannot decide the part.
    """

    id: str
    cls: ClaimClass
    proposition: str
    decided_by: str = ""
    statistic: str = ""
    unit: str = ""
    thresholds: VerdictThresholds | None = None
    measurements: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    traces: bool = False
    waits_for: str = ""


@record(kw_only=True)
class Claim:
    """One sentence of the thesis.

    Attributes:
        quote: the original sentence (Traditional Chinese).
        quantity: the claimed quantity in words.
        notes: remarks that a report shows with the verdict.
        contrary: published evidence against the claim.
        not_found: facts that no available source gives.
        borrows: whether a missing measurement may come from another machine.
    """

    id: str
    tiers: tuple[Tier, ...]
    quote: str
    english: str
    quantity: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    contrary: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    borrows: bool = False

    @property
    def classes(self) -> tuple[ClaimClass, ...]:
        return tuple(dict.fromkeys(part.cls for part in self.parts))


@record(kw_only=True)
class Ledger:
    """All claims of one published text."""

    source: str
    date: date
    inputs: Mapping[str, Input]
    awaited: Mapping[str, Awaited]
    claims: tuple[Claim, ...]

    @property
    def names(self) -> frozenset[str]:
        """All names in `Part.assumptions`."""
        return frozenset(name for part in self.parts for name in part.assumptions)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for claim in self.claims for part in claim.parts)

    def claim(self, name: str) -> Claim:
        """The claim ``name``, such as ``C13``. For a part, such as ``C13a``, the claim of the part.

        Raises:
            UsageError: there is no such claim.
        """
        wanted = name.upper()
        for claim in self.claims:
            if wanted in (claim.id, *(part.id.upper() for part in claim.parts)):
                return claim
        last = self.claims[-1].id
        raise UsageError(
            f"there is no claim '{name}'", f"the claims are {self.claims[0].id} to {last}"
        )


@cache
def ledger() -> Ledger:
    return parse_ledger(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))


def parse_ledger(text: str) -> Ledger:
    """Parse the text of a `claims.toml`.

    Raises:
        LedgerError: ``text`` is invalid.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"the ledger is not TOML: {error}") from None
    unknown = set(document) - {"report", "input", "awaited", "claim"}
    if unknown:
        raise LedgerError(f"the ledger has an unknown table '{min(unknown)}'")
    report = document.get("report", {})
    if not report.get("source") or type(report.get("date")) is not date:
        raise LedgerError("[report] has no source, or no date such as 2026-01-21")
    if not isinstance(document.get("claim"), list) or not document["claim"]:
        raise LedgerError("the ledger has no claims: give each claim as a table [[claim]]")
    inputs = {name: _input(name, table) for name, table in document.get("input", {}).items()}
    awaited = {name: _awaited(name, table) for name, table in document.get("awaited", {}).items()}
    claims = tuple(_claim(table, number) for number, table in enumerate(document["claim"], 1))
    found = Ledger(
        source=report["source"],
        date=report["date"],
        inputs=inputs,
        awaited=awaited,
        claims=claims,
    )
    _check_names(found)
    return found


def _check_names(found: Ledger) -> None:
    ids = [claim.id for claim in found.claims]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        raise LedgerError(f"duplicate claim id: {twice}")
    for part in found.parts:
        for name in part.measurements:
            if name not in found.inputs:
                raise LedgerError(f"{part.id}: there is no input '{name}'")
        for name in part.rests_on:
            if name not in (*part.measurements, *part.assumptions):
                raise LedgerError(f"{part.id}: 'rests_on' has the unused input '{name}'")


def _awaited(name: str, table: Mapping[str, Any]) -> Awaited:
    _check_keys(Awaited, table, f"awaited {name}", optional=set(), given={"name"})
    return Awaited(**{**table, "name": name, "what": tr(table["what"])})


def _input(name: str, table: Mapping[str, Any]) -> Input:
    where = f"input {name}"
    _check_keys(
        Input,
        table,
        where,
        optional={"stat", "peak", "machines", "typical", "full"},
        given={"name"},
    )
    try:
        return Input(
            **{
                **table,
                "name": name,
                "what": tr(table["what"]),
                "select": tuple(table["select"]),
                "metric": Metric(table["metric"]),
                "stat": Stat(table.get("stat", Stat.MEDIAN)),
            }
        )
    except ValueError as error:
        raise LedgerError(f"{where}: {error}") from None


def _claim(table: Mapping[str, Any], number: int) -> Claim:
    where = f"claim {table.get('id') or number}"
    values = {("parts" if key == "part" else key): value for key, value in table.items()}
    _check_keys(Claim, values, where, optional={"notes", "contrary", "not_found", "borrows"})
    if not re.fullmatch(r"C\d\d", values["id"]):
        raise LedgerError(f"{where}: an id must be C and two digits")
    single = len(values["parts"]) == 1
    try:
        return Claim(
            **{
                **values,
                "english": tr(values["english"]),
                "quantity": tr(values["quantity"]),
                "tiers": tuple(Tier(word) for word in values["tiers"]),
                "parts": tuple(_parts(values["id"], values["parts"], single)),
                "notes": tuple(map(tr, values.get("notes", ()))),
                "contrary": tuple(map(tr, values.get("contrary", ()))),
                "not_found": tuple(map(tr, values.get("not_found", ()))),
            }
        )
    except ValueError as error:
        raise LedgerError(f"{where}: {error}") from None


_LETTERS = "abcdefgh"
_TEXTS = {"proposition", "decided_by", "waits_for"}
_RULE_KEYS = {"direction", "supports", "contradicts", "share", "contradicting_share"}


def _parts(claim: str, tables: list[Mapping[str, Any]], single: bool) -> Iterator[Part]:
    if len(tables) > len(_LETTERS):
        raise LedgerError(f"{claim}: more than {len(_LETTERS)} parts")
    for letter, table in zip(_LETTERS, tables, strict=False):
        name = claim if single else f"{claim}{letter}"
        values = {("cls" if key == "class" else key): value for key, value in table.items()}
        rule = {key: values.pop(key) for key in _RULE_KEYS & values.keys()}
        optional = {one.name for one in fields(Part)} - {"id", "cls", "proposition"}
        _check_keys(Part, values, name, optional=optional, given={"id", "thresholds"})
        if bool(values.get("statistic")) != (
            {"direction", "supports", "contradicts"} <= rule.keys()
        ):
            raise LedgerError(
                f"{name}: direction, supports and contradicts are required with a statistic, "
                "and not allowed without one"
            )
        if not values.get("statistic") and not values.get("waits_for"):
            raise LedgerError(
                f"{name}: the proposition has no statistic, and 'waits_for' does not say why"
            )
        try:
            yield Part(
                **{
                    **values,
                    **{key: tr(values[key]) for key in _TEXTS & values.keys()},
                    "id": name,
                    "cls": ClaimClass(values["cls"]),
                    "thresholds": _thresholds(rule) if rule else None,
                    **{
                        key: tuple(values.get(key, ()))
                        for key in ("measurements", "assumptions", "device", "rests_on")
                    },
                }
            )
        except ValueError as error:
            raise LedgerError(f"{name}: {error}") from None


def _thresholds(rule: Mapping[str, Any]) -> VerdictThresholds:
    share = rule.get("share", VerdictThresholds.share)
    return VerdictThresholds(
        direction=Direction(rule["direction"]),
        supports=float(rule["supports"]),
        contradicts=float(rule["contradicts"]),
        share=share,
        contradicting_share=rule.get("contradicting_share", share),
    )


def _check_keys(
    cls: type[Input | Awaited | Part | Claim],
    table: Mapping[str, Any],
    where: str,
    *,
    optional: set[str],
    given: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Raise `LedgerError` if the keys or types in ``table`` do not match the fields of ``cls``.

    The fields ``given`` must not occur in ``table``.
    """
    known = {one.name: one for one in fields(cls) if one.name not in given}
    for name in sorted(known.keys() - optional):
        if not table.get(name) and table.get(name) != []:
            raise LedgerError(f"{where}: '{name}' is missing or empty")
    for name, value in table.items():
        if name not in known:
            raise LedgerError(f"{where}: '{name}' is not a known key")
        if known[name].type == "str" and not isinstance(value, str):
            raise LedgerError(f"{where}: '{name}' must be text")
        if str(known[name].type).startswith("tuple") and not isinstance(value, list):
            raise LedgerError(f"{where}: '{name}' must be a list")
