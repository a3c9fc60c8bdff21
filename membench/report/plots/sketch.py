"""Record the drawing calls of a plot, so that Matplotlib is loaded only for uncached plots.

The code of a plot draws on a stand-in for Matplotlib's figure. The stand-in only records each call.
The key of the plot in the cache contains the recorded calls. If the cache lacks the plot,
`Sketch.draw` repeats the calls on a real figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, cast

import numpy as np

from membench.core.record import record

Parameters = ParamSpec("Parameters")


@record
class _Step:
    """One recorded call.

    Attributes:
        of: number of the object whose method is called; None if ``call`` is a function. Object 0 is
            the figure, and object n is the result of the n-th step.
        call: name of the method, or the function.
    """

    of: int | None
    call: str | Callable[..., Any]
    args: tuple[Any, ...]
    options: Mapping[str, Any]


class _StandIn:
    """A stand-in for the result of a recorded call; a method call records another step."""

    __iter__ = None  # the number of results is unknown

    def __init__(self, sketch: Sketch, place: int) -> None:
        self.sketch = sketch
        self.place = place

    def __getattr__(self, name: str) -> Callable[..., _StandIn]:
        if name.startswith("_"):
            raise AttributeError(name)

        def method(*args: Any, **options: Any) -> _StandIn:
            return self.sketch.add(_Step(self.place, name, args, options))

        return method

    def __getitem__(self, item: Any) -> _StandIn:
        return self.sketch.add(_Step(self.place, "__getitem__", (item,), {}))


@dataclass(frozen=True, eq=False)
class Sketch:
    """The recorded calls of one plot."""

    steps: list[_Step] = field(default_factory=list)

    @property
    def figure(self) -> Any:
        return _StandIn(self, 0)

    def add(self, step: _Step) -> _StandIn:
        """Record ``step`` and return the stand-in for its result."""
        self.steps.append(step)
        return _StandIn(self, len(self.steps))

    def content(self) -> list[Any]:
        """The calls as data for JSON; different drawings have different data."""
        return [
            [
                step.of,
                step.call if isinstance(step.call, str) else step.call.__qualname__,
                _plain(step.args),
                _plain(step.options),
            ]
            for step in self.steps
        ]

    def draw(self, figure: Any) -> None:
        results = [figure]
        for step in self.steps:
            args = _real(step.args, results)
            options = _real(step.options, results)
            if step.of is None:
                results.append(cast("Callable[..., Any]", step.call)(*args, **options))
            else:
                results.append(getattr(results[step.of], cast("str", step.call))(*args, **options))


def drawn_later(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Decorator: record the whole call as one step if a positional argument is a `_StandIn`.

    Use the decorator for functions that need return values of Matplotlib.
    """

    @wraps(function)
    def noted(*args: Parameters.args, **options: Parameters.kwargs) -> None:
        for one in args:
            if isinstance(one, _StandIn):
                one.sketch.add(_Step(None, noted, args, options))
                return
        function(*args, **options)

    return noted


def _real(value: Any, results: Sequence[Any]) -> Any:
    """``value`` with each stand-in replaced by the real object, at any depth."""
    if isinstance(value, _StandIn):
        return results[value.place]
    if isinstance(value, tuple):
        return tuple(_real(one, results) for one in value)
    if isinstance(value, list):
        return [_real(one, results) for one in value]
    if isinstance(value, Mapping):
        return {key: _real(one, results) for key, one in value.items()}
    return value


def _plain(value: Any) -> Any:
    """Convert ``value``, an argument of a recorded call, to data for JSON.

    The data are part of the key of the cached drawing, so arguments that lead to different drawings
    give different data.
    """
    match value:
        case _StandIn():
            return {"result": value.place}
        case np.ndarray() | np.generic():
            return {"numbers": value.tolist()}
        case Mapping():
            return {"options": [[key, _plain(one)] for key, one in value.items()]}
        case list() | tuple() | range():
            return [_plain(one) for one in value]
        case slice():
            return {"slice": [value.start, value.stop, value.step]}
        case None | bool() | int() | float() | str():
            return str(value) if isinstance(value, str) else value
        case _:
            raise TypeError(f"a plot cannot store a value of the type {type(value).__name__}")
