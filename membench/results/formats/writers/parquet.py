"""Writes every row and column of a results file as Parquet, for data frames and databases.

An absent value is null. But an absent list or map is empty, and an absent ``rounds`` or ``n`` is 0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from membench.core.errors import UsageError
from membench.core.installing import install_extra
from membench.results.schema import COLUMNS, Row

_WHOLE = ("case_version", "rounds", "n", "size_bytes", "bytes_moved", "iters")
_REAL = ("value", "spread", "min", "max", "peak", "sm_mhz")
_YES_OR_NO = ("verified", "converged")


def write(rows: Sequence[Row]) -> Mapping[str, bytes]:
    """Make one file with all rows, including rows without a value.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("Parquet needs pyarrow", install_extra("parquet")) from None
    kinds = {
        **dict.fromkeys(_WHOLE, pa.int64()),
        **dict.fromkeys(_REAL, pa.float64()),
        **dict.fromkeys(_YES_OR_NO, pa.bool_()),
        "round_values": pa.list_(pa.float64()),
        "samples": pa.list_(pa.list_(pa.float64())),
        "flags": pa.list_(pa.string()),
        "detail": pa.map_(pa.string(), pa.string()),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    columns = {name: [_cell(getattr(row, name)) for row in rows] for name in COLUMNS}
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file, compression="zstd")
    return {"": file.getvalue()}


def _cell(value: Any) -> Any:
    """Convert ``value`` for pyarrow; an empty text becomes null."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, tuple):
        return [_cell(one) for one in value]
    return (str(value) or None) if isinstance(value, str) else value
