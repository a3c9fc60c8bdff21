"""Call NVML so that a query that the GPU or driver does not support is not an error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


def ask(nvml: Any, question: Callable[[], _T], otherwise: _T) -> _T:
    """Call ``question`` and return its result, or ``otherwise`` if it is not supported."""
    try:
        return question()
    except nvml.NVMLError:
        return otherwise


def called(nvml: Any, name: str, *arguments: Any) -> Any:
    """Call the NVML function ``name`` and return its result; None if it is not supported."""
    function = getattr(nvml, name, None)  # older bindings may lack the function
    return None if function is None else ask(nvml, partial(function, *arguments), None)


def text(answer: str | bytes) -> str:
    """``answer`` as str; old bindings return bytes."""
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def hashed(uuid: str) -> str:
    """12 hex digits of a digest of ``uuid``, which distinguish cards without identifying them."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:12]
