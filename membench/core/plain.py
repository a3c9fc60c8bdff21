"""Convert frozen dataclasses to plain JSON data and back.

`load` checks every value against the annotated type. Another version of membench may have written
the data: an unknown key is ignored, and a missing key gets the default of the field. A missing key
without a default is an error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from membench.core.errors import SchemaError

T = TypeVar("T")
Loader = Callable[[Any], Any]

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dump(value: Any) -> Any:
    """``value`` as data for strict JSON.

    Dataclasses become dicts, tuples become lists, and enumerations become text. A float that is not
    finite becomes text such as ``"nan"``, because JSON has no such number.

    Raises:
        TypeError: JSON cannot represent a value.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [dump(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: dump(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"a value of the type {type(value).__name__} cannot be written as JSON")


def load(cls: type[T], data: object) -> T:
    """Rebuild the dataclass ``cls`` from ``data``, the output of `dump`.

    Raises:
        SchemaError: ``data`` does not match ``cls``; the message names the field, such as
            ``CaseResult.readings[0].metric: 'speed' is not a Metric``.
    """
    kind: Any = cls
    try:
        value: T = _loader(kind)(data)
    except _Mismatch as mismatch:
        raise SchemaError(f"{cls.__name__}{mismatch.path}: {mismatch}") from None
    return value


class _Mismatch(Exception):
    """The data do not match the annotated type.

    ``path`` names the field, such as ``.readings[0].metric``. The loaders of lists, objects and
    dataclasses prepend their step of the path with `below`.
    """

    path = ""

    def below(self, step: str) -> _Mismatch:
        self.path = step + self.path
        return self


@cache
def _loader(kind: Any) -> Loader:
    if kind is Any:
        return _anything
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments[1])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise TypeError(f"values of the type {kind} cannot be read from JSON")


def _anything(data: Any) -> Any:
    return data


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise _Mismatch(f"{_shown(data)} is not text")
    return data


def _boolean(data: Any) -> bool:
    if not isinstance(data, bool):
        raise _Mismatch(f"{_shown(data)} is neither true nor false")
    return data


def _integer(data: Any) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise _Mismatch(f"{_shown(data)} is not a whole number")
    return data


def _number(data: Any) -> float:
    if isinstance(data, str) and data in _NOT_FINITE:
        return _NOT_FINITE[data]
    if not isinstance(data, int | float) or isinstance(data, bool):
        raise _Mismatch(f"{_shown(data)} is not a number")
    try:
        return float(data)
    except OverflowError:
        raise _Mismatch(f"{_shown(data)} is too large") from None


_SCALARS: Mapping[Any, Loader] = {str: _text, bool: _boolean, int: _integer, float: _number}


def _enum(kind: type[StrEnum]) -> Loader:
    def read(data: Any) -> StrEnum:
        try:
            return kind(data)
        except ValueError:
            raise _Mismatch(f"{_shown(data)} is not one of {', '.join(kind)}") from None

    return read


def _union(members: tuple[Any, ...]) -> Loader:
    exact = {member: _SCALARS[member] for member in members if member in _SCALARS}
    others = [_loader(member) for member in members if member not in (*exact, type(None))]

    def read(data: Any) -> Any:
        if data is None and type(None) in members:
            return None
        if type(data) in exact:  # an int stays an int in `int | float`
            return data
        mismatch = _Mismatch(f"{_shown(data)} has none of the allowed types")
        for loader in (*others, *exact.values()):
            try:
                return loader(data)
            except _Mismatch as reason:
                mismatch = reason
        raise mismatch

    return read


def _tuple(arguments: tuple[Any, ...]) -> Loader:
    repeated = len(arguments) == 2 and arguments[1] is Ellipsis
    loaders = [_loader(argument) for argument in arguments if argument is not Ellipsis]

    def read(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple):
            raise _Mismatch(f"{_shown(data)} is not a list")
        each = loaders * len(data) if repeated else loaders
        if len(each) != len(data):
            raise _Mismatch(f"the list has {len(data)} items instead of {len(each)}")
        items = []
        for index, (loader, item) in enumerate(zip(each, data, strict=True)):
            try:
                items.append(loader(item))
            except _Mismatch as mismatch:
                raise mismatch.below(f"[{index}]") from None
        return tuple(items)

    return read


def _mapping(value: Any) -> Loader:
    loader = _loader(value)

    def read(data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise _Mismatch(f"{_shown(data)} is not an object")
        loaded = {}
        for key, item in data.items():
            try:
                loaded[_text(key)] = loader(item)
            except _Mismatch as mismatch:
                raise mismatch.below(f".{key}") from None
        return loaded

    return read


def _dataclass(cls: type[Any]) -> Loader:
    hints = get_type_hints(cls)
    loaders = {field.name: _loader(hints[field.name]) for field in dataclasses.fields(cls)}
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]

    def read(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise _Mismatch(f"{_shown(data)} is not an object")
        for name in required:
            if name not in data:
                raise _Mismatch(f"'{name}' is missing")
        known = {}
        for name, loader in loaders.items():
            if name in data:
                try:
                    known[name] = loader(data[name])
                except _Mismatch as mismatch:
                    raise mismatch.below(f".{name}") from None
        return cls(**known)

    return read


def _shown(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 40 else f"{text[:37]}..."
