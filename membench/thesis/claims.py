"""The claims of the thesis: loaded from `claims.toml`, refused where their origin is not stated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from importlib.resources import files
from typing import Any

from membench.errors import MembenchError
from membench.terms import Metric, Stat, Tier


class Kind(StrEnum):
    """By what a claim can be tested."""

    MEASUREMENT = "measurement"
    MODEL = "model"  # computed from measurements
    RECORD = "record"  # dated public figures
    NONE = "none"


class ClaimsError(MembenchError):
    """The claims do not stand as they are written."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """A measurement that a claim needs.

    Attributes:
        select: glob of case ids, as `--select` takes it.
        part: what must be measured for it: GPU, SSD, host memory.
    """

    name: str
    select: str
    metric: Metric
    part: str
    stat: Stat = Stat.MEDIAN


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the thesis, and what would decide it.

    Attributes:
        quote: the sentence in the words of the source (Traditional Chinese).
        source, date: who said it, and when.
        proposition: the claim stated so that it can fail.
        decided_by: the statistic and the thresholds that decide it.
        model: what turns the inputs into that statistic; empty where nothing needs to.
    """

    id: str
    tiers: tuple[Tier, ...]
    kinds: tuple[Kind, ...]
    quote: str
    english: str
    source: str
    date: date
    proposition: str
    decided_by: str
    model: str = ""
    inputs: tuple[Input, ...] = field(default=())


def claims() -> tuple[Claim, ...]:
    """The claims that membench ships, in the order in which they are told."""
    return parse_claims((files(__package__) / "claims.toml").read_text(encoding="utf-8"))


def parse_claims(text: str) -> tuple[Claim, ...]:
    """The claims in ``text`` (TOML: ``[[claim]]`` with ``[[claim.input]]``).

    Raises:
        ClaimsError: one line that names the claim and what is wrong with it: a key
            that is missing (source and date above all), empty, unknown or of the
            wrong type, or an id that stands twice.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClaimsError(f"the claims are not TOML: {error}") from None
    if set(document) != {"claim"}:
        raise ClaimsError("the claims must be [[claim]] tables and nothing else")
    found: dict[str, Claim] = {}
    for number, entry in enumerate(document["claim"], 1):
        claim = _claim(entry, f"claim {entry.get('id') or number}")
        if claim.id in found:
            raise ClaimsError(f"claim {claim.id} stands twice")
        found[claim.id] = claim
    return tuple(found.values())


def _claim(entry: Mapping[str, Any], where: str) -> Claim:
    values = {("inputs" if key == "input" else key): value for key, value in entry.items()}
    _check_keys(Claim, values, where)
    if type(values["date"]) is not date:
        raise ClaimsError(f"{where}: 'date' must be a date such as 2026-01-21")
    try:
        return Claim(
            **{
                **values,
                "tiers": tuple(Tier(word) for word in values["tiers"]),
                "kinds": tuple(Kind(word) for word in values["kinds"]),
                "inputs": tuple(_input(item, where) for item in values.get("inputs", ())),
            }
        )
    except ValueError as error:
        raise ClaimsError(f"{where}: {error}") from None


def _input(entry: Mapping[str, Any], where: str) -> Input:
    _check_keys(Input, entry, f"{where}, an input")
    return Input(
        **{
            **entry,
            "metric": Metric(entry["metric"]),
            "stat": Stat(entry.get("stat", Stat.MEDIAN)),
        }
    )


def _check_keys(cls: type[Claim | Input], entry: Mapping[str, Any], where: str) -> None:
    known = {one.name: one for one in fields(cls)}
    optional = {"model", "inputs", "stat"}
    for name in known.keys() - optional:
        if not entry.get(name):
            raise ClaimsError(f"{where}: '{name}' is missing or empty")
    for name, value in entry.items():
        if name not in known:
            raise ClaimsError(f"{where}: '{name}' is not a key of it")
        if known[name].type == "str" and not isinstance(value, str):
            raise ClaimsError(f"{where}: '{name}' must be text")
