"""Call NVML; a query that the GPU or the driver does not support is not an error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


def ask(nvml: Any, question: Callable[[], _T], otherwise: _T) -> _T:
    """Return the result of ``question()``, or ``otherwise`` if NVML returns an error."""
    try:
        return question()
    except nvml.NVMLError:
        return otherwise


def called(nvml: Any, name: str, *arguments: Any) -> Any:
    """The result of the NVML function ``name``.

    None if the bindings lack the function or NVML returns an error.
    """
    function = getattr(nvml, name, None)
    return None if function is None else ask(nvml, partial(function, *arguments), None)


def text(answer: str | bytes) -> str:
    """``answer`` as str; old bindings return bytes."""
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def hashed(uuid: str) -> str:
    """12 hex digits from a digest of ``uuid``, which distinguish cards but hide the UUID."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:12]
