"""Make broken files: remove, double and replace bytes at random, or change types in JSON."""

from __future__ import annotations

import csv
import io
import json
import random
import re

SNIPPETS = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # a UTF-16 surrogate, invalid in UTF-8
    b"\xef\xbb\xbf",
    b"\x1b[31m",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b'"',
    b'""',
    b",",
    b"," * 3000,
    b";" * 3000,
    b"|" * 3000,
    b"=cmd|' /C calc'!A0",
    b"'=1+1",
    b"nan",
    b"-inf",
    b"1e999",
    b"9" * 5000,
    b"-0",
    b"0x10",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"\\ud800",
    b"NaN",
    b"Infinity",
    "\u202e\u0661\u00b2".encode(),
    b"membench.results/2",
    b"membench.results/1",
    b"schema",
]


def mutilated(good: bytes, rng: random.Random) -> bytes:
    """``good`` after random damage: bytes removed, doubled, shuffled or inserted."""
    data = bytearray(good)
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.randrange(60))
        kind = rng.randrange(6)
        if kind == 0:
            del data[start:]
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:end] = data[start:end] * rng.randrange(2, 5)
        elif kind == 3 and start < len(data):
            data[start] = rng.randrange(256)
        else:
            data[start:end] = rng.choice(SNIPPETS)
    return bytes(data)


def typed_differently(good: bytes, rng: random.Random) -> bytes:
    """``good`` (JSON) with one random value replaced by a value of another type."""
    content = json.loads(good[good.index(b"{") :].partition(b"\n{")[0])
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = rng.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.85:
            place = place[key]
            continue
        odd: list[object] = [
            None,
            True,
            -1,
            0,
            1e308,
            10**400,
            "",
            "x",
            "N/A",
            "\ud800",
            [],
            {},
            [[]],
            {"a": 1},
        ]
        place[key] = rng.choice(odd)
        break
    return json.dumps(content).encode()


def edged(good: bytes, rng: random.Random) -> bytes:
    """``good`` (a results file) with numbers near the limits of a double.

    The rows stay consistent: each value is the median of its rounds. So the rows pass the reader
    and reach the code after the reader.
    """
    header, *rows = list(csv.reader(io.StringIO(good.decode())))
    scaled = ("value", "round_values", "samples", "min", "max", "peak")
    factor = rng.choice([1e300, 1e306, 1e-300, 1e-307, 1e16])
    several = rng.random() < 0.5
    chosen = rng.randrange(len(rows))
    for number, row in enumerate(rows):
        if not several and number != chosen:
            continue
        for name in scaled:
            place = header.index(name)
            row[place] = _NUMBER.sub(lambda found: _times(found[0], factor), row[place])
        if rng.random() < 0.5:
            for name in ("size_bytes", "bytes_moved", "iters", "n", "case_version"):
                if rng.random() < 0.5 and row[header.index(name)]:
                    row[header.index(name)] = rng.choice(["1", "9" * 18, "9" * 39, str(2**63)])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")


def _times(text: str, factor: float) -> str:
    number = float(text) * factor
    return repr(min(max(number, 5e-324), 1.7e308))
