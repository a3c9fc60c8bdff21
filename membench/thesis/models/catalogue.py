"""The shipped models, and any other model described by a `config.json`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import SchemaError, UsageError
from membench.core.files import shown
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.text import one_line
from membench.core.untrusted import parse_json, read_bytes
from membench.thesis.models.architecture import shape_of
from membench.thesis.models.configuration import Config, ModelError, resolved
from membench.thesis.models.kv_shape import KvShape
from membench.thesis.models.parameters import Parameters, count
from membench.thesis.models.weight_bits import (
    Weights,
    WeightType,
    cache_type,
    says_precision,
    weights_of,
)

_MOST_BYTES = 16 * 2**20  # a configuration has some kB; a larger file is something else
_PUBLISHED = "name the config.json of the model as it is published"
_PRECISION = re.compile(
    r"(?<![a-z0-9])(NVFP4|MXFP4|FP8|INT8|INT4|AWQ|GPTQ)(?![a-z0-9])", re.IGNORECASE
)
_MEANS = {name: name for name in ("nvfp4", "mxfp4", "fp8", "int8", "int4")}
_MEANS |= {"awq": "int4", "gptq": "int4"}
_KEYS = {"slug", "name", "ids", "source", "date", "config"}
_WEIGHTS = "weights"
_RELEASED = "released"


@record(kw_only=True)
class Model:
    """A model: its KV shape, its weights and the FLOPs that it needs.

    Attributes:
        slug: name of the model on the command line, or the path of its configuration.
        ids: its names on Hugging Face.
        source, day: where its configuration was published, and the day it was read; None for a
            user's configuration.
        released: the day its weights were published; None if unknown.
        parameters: counts of its weights; None if a user's configuration does not describe them.
        weights: how its weights are stored; None if neither the configuration nor the user
            specifies that.
        cache: the KV type for which the checkpoint was made; None if it does not name one.
        notes: one sentence for each value that was assumed because the configuration omits it.
        config: the configuration itself.
    """

    slug: str
    name: str
    ids: tuple[str, ...]
    source: str
    day: date | None
    shape: KvShape
    parameters: Parameters | None
    weights: Weights | None
    cache: str | None
    notes: tuple[str, ...]
    config: Config
    released: date | None = None

    def held_as(self, wanted: WeightType) -> Model:
        """The same model with its weights in the precision ``wanted`` (`auto`: as configured).

        Raises:
            ModelError: the weights cannot be counted.
        """
        if wanted is WeightType.AUTO:
            return self
        notes = tuple(note for note in self.notes if "precision" not in note)
        return replace(self, weights=weights_of(self.config, wanted), notes=notes)


class _Built(Mapping[str, Model]):
    """The models of ``entries``, each built on first use."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._entries = entries

    def __getitem__(self, slug: str) -> Model:
        if slug not in self._entries:
            raise KeyError(slug)
        return _shipped(slug)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@cache
def models() -> Mapping[str, Model]:
    """The shipped models by slug, in the order of the files."""
    return _Built(_entries())


@cache
def judged_models() -> Mapping[str, Model]:
    """The models for which the claims are evaluated, by slug, in the order of the file."""
    return _Built(_judged())


def parse_models(text: str) -> dict[str, Model]:
    """The models in ``text`` (TOML: ``[[model]]`` tables), by slug.

    Raises:
        ModelError: the message is one line that names the model and the fault.
    """
    found = {}
    for slug, entry in _parsed(text).items():
        try:
            found[slug] = _model(entry)
        except ModelError as error:
            raise ModelError(f"model {slug}: {error}", error.hint) from None
    return found


@cache
def _shipped(slug: str) -> Model:
    """The shipped model ``slug``; other models are not built."""
    return _model(_entries()[slug])


@cache
def _entries() -> Mapping[str, Mapping[str, Any]]:
    text = (files(__package__) / "published_models.jsonl").read_text(encoding="utf-8")
    return MappingProxyType({**_judged(), **_published(text)})


@cache
def _judged() -> Mapping[str, Mapping[str, Any]]:
    text = (files(__package__) / "models.toml").read_text(encoding="utf-8")
    return MappingProxyType(_parsed(text))


def _parsed(text: str) -> dict[str, Mapping[str, Any]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"the models are not TOML: {error}") from None
    return _by_slug(document.get("model", ()))


def _published(text: str) -> dict[str, Mapping[str, Any]]:
    """Parse ``text`` (JSON): the first line names the sources, each further line is a model."""
    about, *entries = map(json.loads, text.splitlines())
    day = date.fromisoformat(about["date"])
    return _by_slug(
        {
            **entry,
            "ids": [entry["id"]],
            "source": f"{about['source'].partition(',')[0]}, {entry['id']}",
            "date": day,
        }
        for entry in entries
    )


def _by_slug(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries, 1):
        where = f"model {entry.get('slug') or place}"
        if missing := [key for key in sorted(_KEYS) if not entry.get(key)]:
            raise ModelError(f"{where}: '{missing[0]}' is missing or empty")
        if unknown := set(entry) - _KEYS - {_WEIGHTS, _RELEASED, "id"}:
            raise ModelError(f"{where}: '{min(unknown)}' is not a known key")
        if entry["slug"] in found:
            raise ModelError(f"{where} is defined twice")
        found[entry["slug"]] = entry
    return found


def _model(entry: Mapping[str, Any]) -> Model:
    """A shipped model with known weights."""
    config = entry["config"]
    notes = [*resolved(config).taken]
    wanted = WeightType(entry.get(_WEIGHTS, WeightType.AUTO))
    if wanted is not WeightType.AUTO:
        notes.append(
            f"the configuration gives no weight precision: {wanted}, from the model's name, is "
            "assumed for every matrix of its layers"
        )
    return Model(
        slug=entry["slug"],
        name=entry["name"],
        ids=tuple(entry["ids"]),
        source=entry["source"],
        day=entry["date"],
        shape=shape_of(config),
        parameters=count(config),
        weights=weights_of(config, wanted),
        cache=cache_type(config),
        notes=tuple(notes),
        config=config,
        released=entry.get(_RELEASED),
    )


def find_model(name: str) -> Model:
    """The shipped model ``name``, or the model of the `config.json` at the path ``name``.

    Args:
        name: a slug, a Hugging Face id (case-insensitive), a file, or a folder with a
            `config.json`.

    Raises:
        UsageError: no shipped model has that name.
        ModelError: the file does not exist, or does not describe a supported model.
    """
    known = _entries()
    if name in known:
        return _shipped(name)
    path = Path(name)
    if path.is_dir() and (path / "config.json").is_file():
        path /= "config.json"
    if path.is_file() or path.is_fifo():
        return _from_file(path)
    by_id = {one.lower(): slug for slug, entry in known.items() for one in entry["ids"]}
    if (found := by_id.get(name.lower())) is not None:
        return _shipped(found)
    if name.endswith(".json") or (name and path.is_dir()):
        lacks = "no config.json is in it" if path.is_dir() else "there is no such file"
        raise ModelError(f"{shown(path)}: {lacks}", _PUBLISHED)
    what = f"'{name}' is not a known model"
    if "/" in name:
        what = f"{name}: there is no such file, and no shipped model has that id"
    raise UsageError(
        what,
        did_you_mean(
            name,
            [*known, *by_id],
            "membench advise --model list shows the names; for others give a config.json",
        ),
    )


def _beside(path: Path, config: Config) -> dict[str, Any]:
    """Keys that ``config`` does not have, from the ModelOpt file in the same folder."""
    other = path.with_name("hf_quant_config.json")
    if says_precision(config) or not other.is_file() or other.stat().st_size > _MOST_BYTES:
        return {}
    try:
        stated = json.loads(other.read_bytes())
    except (ValueError, RecursionError):
        raise ModelError(f"{other}: this is not JSON", _PUBLISHED) from None
    return {"quantization_config": stated}


def _of_name(path: Path, config: Config) -> Iterator[str]:
    """Names of the model that may contain a weight precision, if the configuration omits it."""
    own = config.get("_name_or_path")
    names = (path.name, path.parent.name, own if isinstance(own, str) else "")
    found = next((match for name in names if (match := _PRECISION.search(name))), None)
    if found is not None and not says_precision(config):
        yield (
            f"the name says {found[1]}, but the configuration gives no weight precision: the "
            "weights are counted as not quantized; "
            f"--weights {_MEANS[found[1].lower()]} counts them as the name says"
        )


def _no_json(path: Path, content: bytes) -> ModelError:
    """The error for a file that is not JSON; it says what kind of file it is."""
    if content.startswith(b"version https://git-lfs.github.com/spec/"):
        return ModelError(
            f"{path}: this is a Git LFS pointer, not the configuration",
            "in the clone of its repository: git lfs pull",
        )
    if content.startswith(b"\x1f\x8b"):
        return ModelError(f"{path}: this file is compressed with gzip", f"gzip -dk {path}")
    if content.lstrip()[:1] == b"<":
        return ModelError(f"{path}: this is a web page, not JSON", "download the raw file")
    return ModelError(f"{path}: this is not JSON", _PUBLISHED)


def _from_file(path: Path) -> Model:
    try:
        content = read_bytes(path, _MOST_BYTES, pipe=True)
    except SchemaError as error:
        raise ModelError(f"{shown(path)}: {error}", error.hint or _PUBLISHED) from None
    try:
        config = parse_json(content)
    except ValueError:
        raise _no_json(path, content) from None
    if not isinstance(config, dict):
        raise ModelError(f"{path}: the configuration of a model must be a JSON object", _PUBLISHED)
    config = {**config, **_beside(path, config)}
    try:
        shape = shape_of(config)
    except ModelError as error:
        raise ModelError(f"{path}: {error}", error.hint or _PUBLISHED) from None
    parameters: Parameters | None = None
    weights: Weights | None = None
    notes = [*resolved(config).taken, *_of_name(path, config)]
    try:
        parameters = count(config)
        weights = weights_of(config)
    except ModelError as error:
        notes.append(str(error))
    return Model(
        slug=shown(path),
        name=one_line(path.name),
        ids=(),
        source=shown(path),
        day=None,
        shape=shape,
        parameters=parameters,
        weights=weights,
        cache=cache_type(config),
        notes=tuple(notes),
        config=config,
    )
