"""Each disk case claims its part of the run's write budget once, and all writes are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.host.storage.write_budget import WriteLedger


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "ledger"
    file.touch()
    return str(file)


def test_a_claim_is_made_once_and_kept(path: str) -> None:
    assert WriteLedger(path).claim("a", 60, 100)
    assert WriteLedger(path).claim("a", 60, 100)  # as in the process of the next round
    assert not WriteLedger(path).claim("b", 41, 100)
    assert WriteLedger(path).claim("c", 40, 100)
    assert WriteLedger(path).left(100) == 0


def test_what_was_written_adds_up(path: str) -> None:
    assert WriteLedger(path).written == 0
    WriteLedger(path).wrote(10**12)
    WriteLedger(path).wrote(5)
    assert WriteLedger(path).written == 10**12 + 5


@given(claims=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60)), max_size=20))
def test_claims_never_exceed_the_limit(
    tmp_path_factory: pytest.TempPathFactory, claims: list[tuple[str, int]]
) -> None:
    file = tmp_path_factory.mktemp("ledger") / "book"
    file.touch()
    ledger = WriteLedger(str(file))
    for case, size in claims:
        ledger.claim(case, size, 100)
        assert 0 <= ledger.left(100) <= 100
