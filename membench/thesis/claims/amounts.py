"""Formats numbers with units, and names such as ``llama-3.1-8b, agent``."""

from __future__ import annotations

from membench.core.messages import Message, span, tr
from membench.core.units import significant
from membench.thesis.claims.assumptions import Assumption

_AMOUNTS = {
    "x": tr("{number} x"),
    "x a year": tr("{number} x a year"),
    "years": tr("{number} years"),
    "tokens": tr("{number} tokens"),
    "1e6": tr("{number} million"),
    "1e9": tr("{number} billion"),
    "1e12": tr("{number} trillion"),
    "1e6 USD": tr("{number} million USD"),
    "1e9 USD": tr("{number} billion USD"),
}
"""Unit -> text. `amount` writes any other unit after the number."""
_WORKLOADS = {"conversation": tr("conversation"), "agent": tr("agent")}


def amount(number: str, unit: str) -> str:
    """``number`` with ``unit``; only ``number`` if ``unit`` is empty, "1", "share" or "year"."""
    if unit in ("", "1", "share", "year"):
        return number
    if unit in _AMOUNTS:
        return tr(_AMOUNTS[unit], number=number)
    return tr("{number} {unit}", number=number, unit=unit)


def rounded_number(value: float, unit: str) -> str:
    """``value`` with three significant digits; a year with two decimals."""
    return f"{value:.2f}" if unit == "year" else significant(value, 3)


def entry_range(entry: Assumption) -> str:
    """Text such as ``22 TB/s`` or ``5 (3 to 8) USD/GB``."""
    value = f"{entry.value:.6g}"
    if entry.low != entry.high:
        ends = span(f"{entry.low:.6g}", f"{entry.high:.6g}")
        value = tr("{value} ({range})", value=value, range=ends)
    return amount(value, entry.unit)


def of_workload(model: str, workload: str) -> Message:
    """Text such as ``llama-3.1-8b, agent``."""
    return tr("{model}, {workload}", model=model, workload=workload_name(workload))


def on_class(model: str, workload: str, gpu: str) -> Message:
    """Text such as ``glm-5, agent, Hopper (2022)``."""
    return tr("{model}, {workload}, {gpu}", model=model, workload=workload_name(workload), gpu=gpu)


def workload_name(name: str) -> str:
    """Translatable name of a built-in trace. Other names are returned unchanged."""
    return _WORKLOADS.get(name, name)
