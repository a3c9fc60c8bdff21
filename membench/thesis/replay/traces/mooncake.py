"""The Mooncake form: one request a line, with the ids of all its blocks.

Keys are `timestamp`, `input_length`, `output_length` and `hash_ids`; the last
block of a request may be partial, so that there are ``ceil(input / block)`` ids.
Lines that also have a `chat_id` are Qwen-Bailian's: seconds instead of
milliseconds, and 16 tokens a block instead of 512.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import Any

import numpy as np

from membench.thesis.replay.trace import Ints, Trace, TraceError
from membench.thesis.replay.traces.lines import Lines

BLOCK_TOKENS = 512
BAILIAN_BLOCK_TOKENS = 16
_MOST_ID = 2**64 - 1
_SPARSE = 4  # ids of which less than one in so many is used are numbered anew


def read(lines: Lines, block_tokens: int | None = None) -> Trace:
    """The trace in ``lines``; raises `TraceError` with the line and what is wrong with it."""
    arrival, prompt, output = array("d"), array("q"), array("q")
    named: list[list[int]] = []
    bailian = False
    before = 0.0
    for number, entry in lines.objects():
        if number == 1:
            bailian = "chat_id" in entry
        time = lines.time(number, entry, "timestamp")
        if time < before:
            lines.fail(
                number,
                f"'timestamp' goes back, from {before:g} to {time:g}",
                "sort the lines by it",
            )
        before = time
        arrival.append(time)
        prompt.append(lines.whole(number, entry, "input_length"))
        output.append(lines.whole(number, entry, "output_length"))
        ids = entry.get("hash_ids")
        if not isinstance(ids, list):
            lines.fail(number, "'hash_ids' must be a list of block ids")
        named.append(ids)
    size = block_tokens or (BAILIAN_BLOCK_TOKENS if bailian else BLOCK_TOKENS)
    counts = np.fromiter(map(len, named), np.int64, len(named))
    prompts = np.frombuffer(prompt, np.int64)
    _check_blocks(lines, prompts, counts, size)
    ids = _ids(lines, named)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    begins = np.ones(ids.size, np.bool_)
    begins[1:] = np.diff(ids) != 1
    begins[bounds[:-1][counts > 0]] = True
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], ids.size) - 1
    return Trace(
        name=lines.name,
        block_tokens=size,
        sessions=False,
        private=False,
        session=np.zeros(len(named), np.int64),
        arrival=np.frombuffer(arrival, np.float64) / (1.0 if bailian else 1e3),
        served=np.full(len(named), np.nan),
        prompt=prompts,
        output=np.frombuffer(output, np.int64),
        nested=np.zeros(len(named), np.bool_),
        offsets=np.searchsorted(starts, bounds),
        first=ids[starts],
        last=ids[ends] if ids.size else ids,
    )


def _ids(lines: Lines, named: list[list[Any]]) -> Ints:
    """All ids after each other; if they are hashes, numbered anew in the order of first use."""
    flat = list(chain.from_iterable(named))
    if not flat:
        raise TraceError(f"{lines.name}: no request has a block")
    if set(map(type, flat)) != {int} or min(flat) < 0 or max(flat) > _MOST_ID:
        for number, ids in enumerate(named, 1):
            for value in ids:
                if type(value) is not int or not 0 <= value <= _MOST_ID:
                    lines.fail(number, f"a block id must be a whole number from 0 to {_MOST_ID}")
    hashes = np.array(flat, np.uint64)
    if int(hashes.max()) < _SPARSE * hashes.size:
        return hashes.astype(np.int64)
    _, firsts, places = np.unique(hashes, return_index=True, return_inverse=True)
    fresh = np.empty(firsts.size, np.int64)
    fresh[np.argsort(firsts)] = np.arange(firsts.size)
    anew: Ints = fresh[places]
    return anew


def _check_blocks(lines: Lines, prompts: Ints, counts: Ints, size: int) -> None:
    expected = -(-prompts // size)
    wrong = np.flatnonzero(expected != counts)
    if not wrong.size:
        return
    line = int(wrong[0])
    lines.fail(
        line + 1,
        f"{counts[line]} blocks for {prompts[line]} tokens are not blocks of {size} tokens",
        _fitting(prompts, counts),
    )


def _fitting(prompts: Ints, counts: Ints) -> str:
    """A hint: the block sizes that all requests agree with."""
    some = counts > 0
    least = int((-(-prompts[some] // counts[some])).max(initial=1))
    several = counts > 1
    most = (prompts[several] - 1) // (counts[several] - 1)
    if (prompts[~some] > 0).any() or (most < least).any() or not some.any():
        return "no block size fits all lines: is the file damaged?"
    power = 1 << (least - 1).bit_length()
    size = power if (most >= power).all() else least
    return f"all lines fit --block-tokens {size}"
