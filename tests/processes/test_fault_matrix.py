"""Each fault in `FAULTS` is injected, and the observed result equals the expected result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driver import ROOT, Membench
from faults import FAULTS, Seen, document

pytestmark = pytest.mark.slow

Scenario = Callable[[Membench], dict[str, Seen]]

SCENARIOS: dict[str, tuple[Scenario, dict[str, Seen]]] = {}
for _fault in FAULTS:
    _name = getattr(_fault.scenario, "__name__", _fault.name)
    SCENARIOS.setdefault(_name, (_fault.scenario, {}))[1][_fault.name] = _fault.seen


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_is_promised_is_what_is_seen(membench: Membench, scenario: str) -> None:
    inject, promised = SCENARIOS[scenario]
    assert inject(membench) == promised


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_the_document_is_the_matrix() -> None:
    assert (ROOT / "docs/reliability.md").read_text(encoding="ascii") == document()
