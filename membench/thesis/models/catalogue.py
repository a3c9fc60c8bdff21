"""Finds a built-in model by name, or reads the model of a `config.json`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import SchemaError, UsageError
from membench.core.files import shown
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.core.text import one_line, shell_word
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

_MOST_BYTES = 16 * 2**20  # a config.json has some kB
_PUBLISHED = "use the published config.json of the model"
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
    """A language model.

    Attributes:
        slug: name of the model on the command line, or the path of the configuration.
        ids: the names of the model on Hugging Face.
        source: origin of the configuration.
        day: the day on which membench's authors read the configuration; None for a user's file.
        parameters: None if membench cannot count the weights.
        weights: None if the precision or ``parameters`` are unknown.
        cache: `fp8` if the configuration gives an 8-bit KV cache, otherwise None.
        notes: sentences about assumed values and about problems with the weights.
        released: the day on which the weights were published; None if unknown.
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
        """This model with weights in the precision ``wanted``. `auto` changes nothing.

        Raises:
            ModelError: the weights cannot be counted.
        """
        if wanted is WeightType.AUTO:
            return self
        notes = tuple(note for note in self.notes if "precision" not in note)
        return replace(self, weights=weights_of(self.config, wanted), notes=notes)


class _Built(Mapping[str, Model]):
    """Maps each name in ``entries`` to a `Model`, which is built on the first access."""

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
    """All models that membench contains, by `Model.slug`."""
    return _Built(_entries())


@cache
def judged_models() -> Mapping[str, Model]:
    """The models of `models.toml`, by `Model.slug`. Verdicts on claims use only these models."""
    return _Built(_judged())


def parse_models(text: str) -> dict[str, Model]:
    """The models in ``text`` (TOML: ``[[model]]`` tables), by `Model.slug`.

    Raises:
        ModelError: ``text`` is not TOML, or an entry is invalid.
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
    return _model(_entries()[slug])


@cache
def _entries() -> Mapping[str, Mapping[str, Any]]:
    text = Path(__file__).with_name("published_models.jsonl").read_text(encoding="utf-8")
    return MappingProxyType({**_judged(), **_published(text)})


@cache
def _judged() -> Mapping[str, Mapping[str, Any]]:
    text = Path(__file__).with_name("models.toml").read_text(encoding="utf-8")
    return MappingProxyType(_parsed(text))


def _parsed(text: str) -> dict[str, Mapping[str, Any]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"the file of the models is not TOML: {error}") from None
    return _by_slug(document.get("model", ()))


def _published(text: str) -> dict[str, Mapping[str, Any]]:
    """Parse JSON lines: slug -> entry. The first line has the source and date of all entries."""
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
    config = entry["config"]
    notes = [*resolved(config).taken]
    wanted = WeightType(entry.get(_WEIGHTS, WeightType.AUTO))
    if wanted is not WeightType.AUTO:
        notes.append(
            f"the configuration gives no weight precision: membench assumes {wanted}, as in the "
            "model's name, for every matrix of the layers"
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
    """The built-in model ``name``, or the model of the file ``name``.

    Args:
        name: a `Model.slug`, a Hugging Face id (case-insensitive), a `config.json`, or a folder
            with a `config.json`.

    Raises:
        UsageError: ``name`` is neither a built-in model nor the path of a configuration.
        ModelError: the `config.json` is missing, or does not describe a supported model.
    """
    known = _entries()
    if name in known:
        return _shipped(name)
    path = Path(name)
    if name and path.is_dir() and (path / "config.json").is_file():
        path /= "config.json"
    if path.is_file() or path.is_fifo():
        return _from_file(path)
    by_id = {one.lower(): slug for slug, entry in known.items() for one in entry["ids"]}
    if (found := by_id.get(name.lower())) is not None:
        return _shipped(found)
    if name.endswith(".json") or (name and path.is_dir()):
        lacks = "the folder contains no config.json" if path.is_dir() else "the file does not exist"
        raise ModelError(f"{shown(path)}: {lacks}", _PUBLISHED)
    what = f"'{name}' is not a known model"
    if "/" in name:
        what = f"{name}: this is neither a file nor the id of a built-in model"
    raise UsageError(
        what,
        did_you_mean(
            name,
            [*known, *by_id],
            "use a name from 'membench advise --model list', or the path of a config.json",
        ),
    )


def _beside(path: Path, config: Config) -> dict[str, Any]:
    """Read ModelOpt's `hf_quant_config.json`, a file beside ``path``, as ``quantization_config``.

    The result is a dict with this one key. It is empty if ``config`` gives a weight precision, or
    if the file does not exist or is too large.
    """
    other = path.with_name("hf_quant_config.json")
    if says_precision(config) or not other.is_file() or other.stat().st_size > _MOST_BYTES:
        return {}
    try:
        stated = json.loads(other.read_bytes())
    except (ValueError, RecursionError):
        raise ModelError(f"{other}: this is not JSON", _PUBLISHED) from None
    return {"quantization_config": stated}


def _of_name(path: Path, config: Config) -> Iterator[str]:
    """Yield a note if the name of the model contains a weight precision that ``config`` omits."""
    own = config.get("_name_or_path")
    names = (path.name, path.parent.name, own if isinstance(own, str) else "")
    found = next((match for name in names if (match := _PRECISION.search(name))), None)
    if found is not None and not says_precision(config):
        yield (
            f"the name contains {found[1]}, but the configuration gives no weight precision, so "
            "membench counts the weights as not quantized: "
            f"use --weights {_MEANS[found[1].lower()]} to count quantized weights"
        )


def _no_json(path: Path, content: bytes) -> ModelError:
    if content.startswith(b"version https://git-lfs.github.com/spec/"):
        return ModelError(
            f"{path}: this is a Git LFS pointer, not the configuration",
            "run 'git lfs pull' in the clone of the model's repository",
        )
    if content.startswith(b"\x1f\x8b"):
        return ModelError(
            f"{path}: this file is compressed with gzip",
            f"decompress with gzip -dc < {shell_word(path)} > OUTPUT, and give OUTPUT",
        )
    if content.lstrip()[:1] == b"<":
        return ModelError(f"{path}: this is a web page, not JSON", "download the raw file")
    return ModelError(f"{path}: this is not JSON", _PUBLISHED)


def _from_file(path: Path) -> Model:
    try:
        content = read_bytes(path, _MOST_BYTES, pipe=True)
    except SchemaError as error:
        raise ModelError(f"{shown(path)}: {error}", error.hint or _PUBLISHED) from None
    try:
        # Nemotron-H has "time_step_limit": [0.0, Infinity]
        config = parse_json(content, constant=str)
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
