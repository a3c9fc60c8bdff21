"""Reads Azure's published requests: arrival times and numbers of tokens, but no block ids.

Each line is one request: `TIMESTAMP,ContextTokens,GeneratedTokens` (Patel et al., ISCA 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from membench.thesis.replay.trace import Floats, Ints, TraceError
from membench.thesis.replay.traces import shipped_bytes

NAMES = ("conv", "code")
_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


@dataclass(frozen=True)
class RequestTable:
    """Requests as arrays.

    Attributes:
        arrival: [n] seconds from the first request.
        prompt, output: [n] tokens.
    """

    arrival: Floats
    prompt: Ints
    output: Ints


def azure_lengths(name: str) -> RequestTable:
    """The requests of Azure's trace ``name``, which is `conv` or `code`."""
    return parse_lengths(
        shipped_bytes(f"AzureLLMInferenceTrace_{name}.csv.xz").decode("ascii"), name
    )


def parse_lengths(text: str, name: str) -> RequestTable:
    """Parse requests from CSV ``text``. ``name`` is for error messages.

    Raises:
        TraceError: a line is invalid, times decrease, or a number of tokens is negative.
    """
    head, *lines = text.splitlines() or [""]
    if head != _HEADER:
        raise TraceError(f"{name}: the first line must be: {_HEADER}")
    arrival, prompt, output = [], [], []
    for number, line in enumerate(lines, 2):
        try:
            stamp, asked, made = line.split(",")
            # The times have seven decimals, but Python reads only six decimals.
            arrival.append(datetime.fromisoformat(f"{stamp[:26]}+00:00").timestamp())
            prompt.append(int(asked))
            output.append(int(made))
        except ValueError:
            raise TraceError(
                f"{name}, line {number}: the line must contain a time and two numbers"
            ) from None
        if min(prompt[-1], output[-1]) < 0:
            raise TraceError(f"{name}, line {number}: a number of tokens is negative")
        if arrival[-1] < max(arrival[-2:]):
            raise TraceError(
                f"{name}, line {number}: the time is before the time of the previous line"
            )
    times = np.array(arrival, np.float64)
    return RequestTable(
        times - times[0] if times.size else times,
        np.array(prompt, np.int64),
        np.array(output, np.int64),
    )
