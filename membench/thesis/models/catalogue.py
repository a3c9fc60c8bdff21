"""The models that membench knows, and any other that a `config.json` describes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import SchemaError
from membench.core.files import shown
from membench.core.text import one_line
from membench.core.untrusted import parse_json, read_bytes
from membench.thesis.models.architecture import ModelError, shape_of
from membench.thesis.models.kv_shape import KvShape
from membench.thesis.models.parameters import Parameters, count, stated

_MOST_BYTES = 16 * 2**20  # a configuration is some kB; more is another file
_KEYS = {"slug", "name", "source", "date", "config"}
_STATED = {"total_params", "matmul_params"}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model by what it keeps and computes.

    Attributes:
        slug: the name on the command line, or the path of its configuration.
        source, day: where its configuration is from, and when it was read; None for a user's.
        parameters: None where a user's configuration does not describe the weights.
    """

    slug: str
    name: str
    source: str
    day: date | None
    shape: KvShape
    parameters: Parameters | None


@cache
def models() -> Mapping[str, Model]:
    """The models that are shipped, by slug, in the order of the file."""
    text = (files(__package__) / "models.toml").read_text(encoding="utf-8")
    return MappingProxyType(parse_models(text))


def parse_models(text: str) -> dict[str, Model]:
    """The models in ``text`` (TOML: ``[[model]]`` tables), by slug.

    Raises:
        ModelError: one line that names the model and what is wrong with it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"the models are not TOML: {error}") from None
    found: dict[str, Model] = {}
    for place, entry in enumerate(document.get("model", ()), 1):
        where = f"model {entry.get('slug') or place}"
        if missing := [key for key in sorted(_KEYS) if not entry.get(key)]:
            raise ModelError(f"{where}: '{missing[0]}' is missing or empty")
        if unknown := set(entry) - _KEYS - _STATED:
            raise ModelError(f"{where}: '{min(unknown)}' is not a key of it")
        if entry["slug"] in found:
            raise ModelError(f"{where} is defined twice")
        try:
            found[entry["slug"]] = _model(entry)
        except ModelError as error:
            raise ModelError(f"{where}: {error}", error.hint) from None
    return found


def _model(entry: Mapping[str, Any]) -> Model:
    config = entry["config"]
    total, matmul = entry.get("total_params"), entry.get("matmul_params")
    return Model(
        slug=entry["slug"],
        name=entry["name"],
        source=entry["source"],
        day=entry["date"],
        shape=shape_of(config),
        parameters=stated(config, total, matmul) if total and matmul else count(config),
    )


def find_model(name: str) -> Model:
    """The shipped model ``name``, or that of the `config.json` at the path ``name``.

    Raises:
        ModelError: there is neither, or the file describes no model that is understood.
    """
    known = models()
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_file() or path.is_fifo():
        return _from_file(path)
    if name.endswith(".json") or "/" in name:
        raise ModelError(f"{name}: there is no such file")
    near = get_close_matches(name, known, n=3)
    raise ModelError(
        f"'{name}' is no model that is known",
        f"did you mean {' or '.join(near)}?"
        if near
        else f"known are {', '.join(known)}; any other by the path of its config.json",
    )


def _from_file(path: Path) -> Model:
    try:
        config = parse_json(read_bytes(path, _MOST_BYTES, pipe=True))
    except SchemaError as error:
        raise ModelError(f"{path}: {error}", error.hint) from None
    except ValueError:
        raise ModelError(f"{path}: this is not JSON") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path}: the configuration of a model is a JSON object")
    try:
        shape = shape_of(config)
    except ModelError as error:
        raise ModelError(f"{path}: {error}", error.hint) from None
    try:
        parameters = count(config)
    except ModelError:
        parameters = None
    return Model(
        slug=shown(path),
        name=one_line(path.name),
        source=shown(path),
        day=None,
        shape=shape,
        parameters=parameters,
    )
