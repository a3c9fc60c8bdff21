"""Recognise the format of a file by its first lines, to name the right command in errors."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from membench.core.errors import SchemaError

MAX_BYTES = 256 << 20
"""Maximum bytes of an imported file, and of the content of a compressed file."""

_HEAD = 1 << 16

_LOOKS: Mapping[str, re.Pattern[bytes]] = MappingProxyType(
    {
        name: re.compile(pattern, re.MULTILINE)
        for name, pattern in {
            "nvbandwidth": rb'"nvbandwidth"\s*:|^nvbandwidth Version|^Running \w+_(?:ce|sm)\.',
            "babelstream": (
                rb"^\x22?(?:function|phase)\x22?,.*_per_sec|^BabelStream\s*$|^Function +\w+/s"
            ),
            "fio": (
                rb'"fio version"\s*:|\(groupid=\d+, jobs=\d+\)|'
                rb"^[2-5];(?:fio-[^;]*;)?[^;]*;\d+;\d+;"
            ),
            "nvbench": rb'"nvbench"\s*:|"nv/(?:cold|batch|cpu_only)/',
            "pytest-benchmark": rb'"fullname"\s*:|"machine_info"\s*:',
            "cited": rb'^schema\s*=\s*"membench\.cited/',
            "stream": rb"^STREAM version|^Function +Best Rate MB/s|^Function +Rate \(MB/s\)",
            "mlc": rb"^Intel\(R\) Memory Latency Checker",
            "likwid-bench": rb"^LIKWID MICRO BENCHMARK",
            "gdsio": rb"^IoType: \w+ XferType: ",
            "cuda-samples": rb"^\[CUDA Bandwidth Test\]|^bandwidthTest-|\[P2P \(Peer-to-Peer\) GPU",
            "stress-ng": rb"^stress-ng: |^\s*stress-ng-version:",
            "sysbench": rb"^sysbench \d",
            "mbw": rb"^(?:AVG|\d+)\tMethod: \w+\tElapsed: ",
            "tinymembench": rb"^tinymembench v|^ *C copy backwards  ",
        }.items()
    }
)
"""Format -> pattern that occurs in the first lines of its files only."""

_PACKED = (
    (b"PK\x03\x04", "the file is a ZIP archive", "unzip the archive, and give the extracted file"),
    (
        b"\x28\xb5\x2f\xfd",
        "the file is compressed with zstd",
        "decompress with zstd -dc FILE > OUTPUT, and give OUTPUT",
    ),
    (
        b"\xfd7zXZ\0",
        "the file is compressed with xz",
        "decompress with xz -dc FILE > OUTPUT, and give OUTPUT",
    ),
    (
        b"BZh",
        "the file is compressed with bzip2",
        "decompress with bzip2 -dc FILE > OUTPUT, and give OUTPUT",
    ),
    (
        b"\x7fELF",
        "the file is a program, not the output of a program",
        "run the program, and give a file with its output",
    ),
)
_TAR, _TAR_PLACE = b"ustar", 257
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE)
_OWN_CSV = re.compile(
    rb"(?:\xef\xbb\xbf)?[^\n]*\bschema\b[^\n]*\brun_id\b[^\n]*\bcase\b|membench\.results/"
)
_OWN_JSON = re.compile(rb'"schema"\s*:\s*"membench\.(run|results|journal)/')


def looks_like(name: str, data: bytes) -> bool:
    return _LOOKS[name].search(data[:_HEAD]) is not None


def format_of(data: bytes) -> str:
    """The format of ``data`` according to its first lines; empty if unknown."""
    return next((name for name in _LOOKS if looks_like(name, data)), "")


def opened(data: bytes) -> bytes:
    """Convert ``data`` to UTF-8, and decompress gzip.

    Raises:
        SchemaError: the data are not the output of a tool, or the gzip data are damaged or too
            large.
    """
    packed = data.startswith(b"\x1f\x8b")
    if packed:
        data = _unpacked(data)
    data = _in_utf8(data)
    for mark, what, hint in _PACKED:
        if data.startswith(mark):
            raise SchemaError(what, hint)
    if data[_TAR_PLACE:].startswith(_TAR):
        raise SchemaError("the file is a tar archive", "extract the archive, and give one file")
    if data.startswith(_POINTER):
        raise SchemaError(
            "the file is a Git LFS pointer",
            "fetch the real file: git lfs pull --include=FILE",
        )
    if _PAGE.match(data):
        raise SchemaError("the file is a web page", "download the raw file")
    if _OWN_CSV.match(data):
        raise SchemaError(
            "the file is already a results file of membench",
            f"{'decompress the file, and ' if packed else ''}give the file to membench compare or "
            "membench report without an import",
        )
    if own := _OWN_JSON.search(data[:_HEAD]):
        raise SchemaError(
            f"the file is JSON of membench (membench.{own[1].decode()})",
            "give membench compare or membench report the CSV of the same run",
        )
    return data


def _in_utf8(data: bytes) -> bytes:
    """Convert ``data`` to UTF-8 without a byte order mark, because PowerShell writes UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(b"\xef\xbb\xbf")


def _unpacked(data: bytes) -> bytes:
    parts, size = [], 0
    while data:  # a gzip file may have several members
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(data, MAX_BYTES + 1 - size)
        except zlib.error as error:
            raise SchemaError(
                f"the file is a damaged gzip file: {error!s:.80}", "fetch the file again"
            ) from None
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise SchemaError(
                f"the file is larger than {MAX_BYTES >> 20} MiB when it is unpacked",
                "give a smaller file",
            )
        if not unpacker.eof:
            raise SchemaError("the file is a truncated gzip file", "fetch the file again")
        data = unpacker.unused_data.lstrip(b"\0")
    return b"".join(parts)
