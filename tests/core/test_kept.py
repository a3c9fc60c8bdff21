"""Cached files on disk: made once, and made again if a file is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.core import kept as keeping
from membench.core.kept import kept, key_of, sources_key


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "membench" / "plots"


def _count() -> tuple[list[int], bytes]:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"content"

    assert kept("plots", "key", make) == kept("plots", "key", make)
    return made, kept("plots", "key", make)


def test_it_is_made_once(cache: Path) -> None:
    made, content = _count()
    assert (made, content) == ([1], b"content")
    assert [path.name for path in cache.iterdir()] == ["key"]


@pytest.mark.parametrize("damage", [b"", b"content", b"0" * 64 + b"other"])
def test_what_is_damaged_is_made_again(cache: Path, damage: bytes) -> None:
    _count()
    (cache / "key").write_bytes(damage)
    made, content = _count()
    assert (made, content) == ([1], b"content")


def test_nothing_is_taken_from_where_others_can_write(cache: Path) -> None:
    kept("plots", "key", lambda: b"evil")
    cache.chmod(0o777)
    made, content = _count()
    assert content == b"content"
    assert len(made) == 3


def test_a_file_that_others_can_write_is_not_taken(cache: Path) -> None:
    kept("plots", "key", lambda: b"evil")
    (cache / "key").chmod(0o666)
    assert kept("plots", "key", lambda: b"content") == b"content"


def test_without_a_place_it_is_made_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    made, content = _count()
    assert (len(made), content) == (3, b"content")


def test_the_oldest_go_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_FILES", 8)
    for number in range(9):
        kept("plots", f"{number}", lambda: b"")
        if number == 5:
            kept("plots", "0", lambda: b"")  # read from the cache
    left = {path.name for path in cache.iterdir()}
    assert len(left) == 7
    assert {"0", "8"} <= left


def test_keys_follow_from_all_parts() -> None:
    keys = [key_of(), key_of("a"), key_of("a", ""), key_of(["a"]), key_of(1), key_of(1.0)]
    assert len(set(keys)) == len(keys)


def test_a_changed_source_is_another_key(tmp_path: Path) -> None:
    folders = [tmp_path / "one" / "room", tmp_path / "other" / "room"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "a.py").write_text("1")
    assert sources_key(folders[0]) == sources_key(folders[1])
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "a.py").write_text("2")
    assert sources_key(tmp_path / "third") != sources_key(folders[0])
