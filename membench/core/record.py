"""`record`: a decorator like ``dataclass(frozen=True)`` that takes much less time per class.

`dataclasses.dataclass` compiles several functions for each class, which would slow the start of
every command. `record` compiles only ``__init__``, and only for the first instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(Field, field))
def record(cls: Any = None, /, *, kw_only: bool = False) -> Any:
    """Make a class a frozen dataclass: `fields`, `replace` and `asdict` work on instances.

    Two instances are equal if all fields are equal. An instance is hashable if all fields are
    hashable. `record` keeps the methods that the class itself defines.

    Args:
        kw_only: whether ``__init__`` takes the fields only by name.
    """

    def decorate(cls: Any) -> Any:
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__  # dataclass would write the signature, which takes long
        made = dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
        for method in _methods(made):
            if method.__name__ not in vars(made):
                method.__qualname__ = f"{made.__qualname__}.{method.__name__}"
                setattr(made, method.__name__, method)
        return made

    return decorate if cls is None else decorate(cls)


def _init(cls: Any) -> Callable[..., None]:
    """Compile the ``__init__`` that `dataclass` would write for a frozen ``cls``."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    by_place: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for one in fields(cls):
        name = value = parameter = one.name
        if one.default is not MISSING:
            known[f"_default_{name}"] = one.default
            parameter = f"{name}=_default_{name}"
        elif one.default_factory is not MISSING:
            known[f"_new_{name}"] = one.default_factory
            parameter = f"{name}=_MISSING"
            value = f"_new_{name}() if {name} is _MISSING else {name}"
        (by_name if one.kw_only else by_place).append(parameter)
        body.append(f"_set(self, '{name}', {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *by_place, *(["*"] if by_name else []), *by_name])
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), known)  # noqa: S102
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _methods(cls: Any) -> tuple[Callable[..., Any], ...]:
    return (*_made(cls), *_compared(cls), *_frozen(cls))


def _made(cls: Any) -> tuple[Callable[..., Any], ...]:
    shown = tuple(one.name for one in fields(cls) if one.repr)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        cls.__init__ = _init(cls)
        cls.__init__(self, *args, **kwargs)

    def __repr__(self: Any) -> str:  # noqa: N807
        shows = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({shows})"

    return __init__, __repr__


def _compared(cls: Any) -> tuple[Callable[..., Any], ...]:
    compared = [one.name for one in fields(cls) if one.compare]
    values: Callable[[Any], Any]
    if len(compared) > 1:
        values = attrgetter(*compared)
    else:  # attrgetter of one name returns no tuple, so NaN would differ from NaN
        values = lambda self: tuple(getattr(self, name) for name in compared)  # noqa: E731

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(values(self) == values(other))

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __eq__, __hash__


def _frozen(cls: Any) -> tuple[Callable[..., Any], ...]:
    names = frozenset(one.name for one in fields(cls))

    def __setattr__(self: Any, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__
