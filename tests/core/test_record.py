"""`record` and `dataclass(frozen=True)` define equal classes, and `record` takes less time."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import pytest

from membench.core.plain import dump, load
from membench.core.record import record
from membench.core.snapshot import Cache


def _declared(frozen: Callable[[type], type]) -> Any:
    class Whole:
        """A class with every kind of field."""

        name: str
        size: int = 3
        parts: dict[str, int] = field(default_factory=dict)
        hidden: str = field(default="h", repr=False, compare=False)

        @cached_property
        def doubled(self) -> int:
            return 2 * self.size

    Whole.__qualname__ = "Whole"
    return frozen(Whole)


@pytest.fixture(params=["record", "dataclass"])
def whole(request: pytest.FixtureRequest) -> Any:
    """The same class, declared with `record` and with `dataclass(frozen=True)`."""
    return _declared(record if request.param == "record" else dataclass(frozen=True))


def test_instances_are_made_compared_and_shown(whole: Any) -> None:
    one = whole("a")
    assert (one.name, one.size, one.parts, one.hidden) == ("a", 3, {}, "h")
    assert one.parts is not whole("a").parts
    assert one == whole("a", hidden="other") != whole("b")
    assert one != "a"
    assert repr(one) == "Whole(name='a', size=3, parts={})"
    assert replace(one, size=4) == whole("a", 4)
    assert asdict(one) == {"name": "a", "size": 3, "parts": {}, "hidden": "h"}
    assert one.doubled == 6
    assert hash(replace(one, parts=())) == hash(whole("a", 3, (), "x"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_instances_cannot_be_changed(whole: Any) -> None:
    one = whole("a")
    for name in ("name", "hidden", "unknown"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(one, name, "b")
        with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(one, name)


def test_wrong_arguments_are_refused(whole: Any) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'name'"):
        whole()
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'length'"):
        whole("a", length=1)


def test_it_says_what_it_is(whole: Any) -> None:
    assert [one.name for one in fields(whole)] == ["name", "size", "parts", "hidden"]
    assert whole.__match_args__ == ("name", "size", "parts", "hidden")
    whole("a")  # the signature is available after the first instance
    assert list(inspect.signature(whole).parameters) == ["name", "size", "parts", "hidden"]
    assert is_dataclass(whole)


def test_fields_by_name_follow_those_by_place() -> None:
    @record(kw_only=True)
    class Named:
        size: int
        unit: str = "B"

    assert Named(size=1) == Named(unit="B", size=1)
    positional: Any = Named
    with pytest.raises(TypeError, match="positional"):
        positional(1)


def test_a_class_keeps_its_own_methods_and_checks_itself() -> None:
    @record
    class Even:
        number: int

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError("odd")

        def __repr__(self) -> str:
            return f"<{self.number}>"

    assert repr(Even(2)) == "<2>"
    with pytest.raises(ValueError, match="odd"):
        Even(3)


def test_a_record_may_extend_another() -> None:
    @record
    class Base:
        first: int

    @record
    class Longer(Base):
        second: int = 2

    assert (Longer(1).first, Longer(1).second) == (1, 2)
    assert repr(Longer(1)).endswith("Longer(first=1, second=2)")
    assert Base(1) != Longer(1)


def test_the_same_nan_is_equal_to_itself() -> None:
    @record
    class One:
        value: float

    assert One(math.nan) == One(math.nan)


def test_copies_pickles_and_plain_data_are_equal() -> None:
    cache = Cache(level=3, kind="unified", size=1 << 25, line=64, cpus=(0, 1))
    assert pickle.loads(pickle.dumps(cache)) == copy.deepcopy(cache) == cache
    assert load(Cache, dump(cache)) == cache
