"""Calls of NVML for which a query that the GPU or driver does not support is not an error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


def ask(nvml: Any, question: Callable[[], _T], otherwise: _T) -> _T:
    """Call ``question`` and return its result; ``otherwise`` if NVML does not support it."""
    try:
        return question()
    except nvml.NVMLError:
        return otherwise


def called(nvml: Any, name: str, *arguments: Any) -> Any:
    """Call the NVML function ``name`` and return its result; None if the query is not supported."""
    function = getattr(nvml, name, None)  # older bindings may not have this function
    return None if function is None else ask(nvml, partial(function, *arguments), None)


def text(answer: str | bytes) -> str:
    """``answer`` as str. Old bindings return bytes."""
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def hashed(uuid: str) -> str:
    """12 hex digits of a digest of ``uuid``. They distinguish cards but do not reveal the UUID."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:12]
