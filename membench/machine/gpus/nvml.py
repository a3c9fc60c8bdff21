"""Calls NVML; a query that a GPU or its driver does not support costs only that fact."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


def ask(nvml: Any, question: Callable[[], _T], otherwise: _T) -> _T:
    """The answer to ``question``, or ``otherwise`` if this GPU or driver does not support it."""
    try:
        return question()
    except nvml.NVMLError:
        return otherwise


def called(nvml: Any, name: str, *arguments: Any) -> Any:
    """The answer of the NVML function ``name``; None if it is not supported."""
    function = getattr(nvml, name, None)  # older bindings may not have it
    return None if function is None else ask(nvml, partial(function, *arguments), None)


def text(answer: str | bytes) -> str:
    """``answer`` as text; old bindings answer in bytes."""
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def hashed(uuid: str) -> str:
    """12 hex digits of a digest of ``uuid``: they tell two cards apart and identify neither."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:12]
