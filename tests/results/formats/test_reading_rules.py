"""Rules that apply to all importers, tested on their common interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.errors import SchemaError
from membench.core.terms import Metric, Tier
from membench.results.formats.figures import Origin, row
from membench.results.formats.reading import Item, ReaderNote, Record, Unplaced, collected
from membench.results.schema import Row, check

ORIGIN = Origin("fio", "r1", "box")


def figure(case: str, value: float) -> Row | Unplaced:
    return row(ORIGIN, Tier.SSD, case, Metric.IOPS, value)


GOOD = st.tuples(st.sampled_from(("ssd/a", "ssd/b", "ssd/a/instance=1")), st.floats(1, 1e9))
BAD = st.sampled_from(("unplaced", "an error", "a case that may not be", "infinite"))
ITEMS = st.lists(st.one_of(GOOD, BAD), max_size=5)


def record(items: list[tuple[str, float] | str]) -> Iterator[Item]:
    """Yield ``items`` like an importer. Instead of the item "an error", raise an error."""
    for item in items:
        if item == "unplaced":
            yield Unplaced("odd")
        elif item == "an error":
            raise SchemaError("broken")
        elif item == "infinite":
            yield figure("ssd/c", float("inf"))
        elif isinstance(item, str):
            yield figure("no case!", 1.0)
        else:
            yield figure(*item)


@given(st.lists(ITEMS, max_size=6))
def test_every_good_row_is_kept_and_every_bad_one_counted(
    records: list[list[tuple[str, float] | str]],
) -> None:
    before_errors = [
        items[: items.index("an error") + 1] if "an error" in items else items for items in records
    ]
    good = [item[1] for items in before_errors for item in items if not isinstance(item, str)]
    bad = sum(isinstance(item, str) for items in before_errors for item in items)
    sources: list[Record] = [record(items) for items in records]
    if not good:
        with pytest.raises(SchemaError, match="the file has no result of fio"):
            collected(sources, "fio")
        return
    found = collected(sources, "fio")
    assert [one.value for one in found] == good
    assert len({one.key for one in found}) == len(good)
    assert sum(found.unplaced.values()) == bad
    for one in found:
        check(one)


def test_an_error_between_records_leaves_those_before_it() -> None:
    def records() -> Iterator[Record]:
        yield (figure("ssd/a", 1.0), ReaderNote("odd"))
        raise SchemaError("cut off")

    found = collected(records(), "fio")
    assert [one.case for one in found] == ["ssd/a"]
    assert (dict(found.unplaced), found.notes) == ({"cut off": 1}, ("odd",))


def test_a_file_that_cannot_be_read_at_all_says_why() -> None:
    def unreadable(text: str) -> Record:
        raise SchemaError(text)

    with pytest.raises(SchemaError, match=r"^not the JSON of fio$"):
        collected(map(unreadable, ["not the JSON of fio"]), "fio")
    with pytest.raises(SchemaError, match="the file has no result of fio: odd"):
        collected([(Unplaced("odd"),)], "fio")
