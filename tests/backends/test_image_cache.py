"""The compilation cache on disk: valid files are used, and damaged files are compiled again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from membench.core.errors import MembenchError
from membench.gpu.cuda import compile as compiling
from membench.gpu.cuda.compile import compile_ahead, compile_source
from membench.gpu.cuda.image_cache import image_key, load_image, store_image

ARGS = ("control.cu", ("-DNOTHING=1",), "90")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path / "membench" / "images"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    true = compiling.compile_text

    def compile_text(file: str, text: str, options: tuple[str, ...], arch: str) -> object:
        done.append(file)
        return true(file, text, options, arch)

    monkeypatch.setattr(compiling, "compile_text", compile_text)
    compile_source.cache_clear()
    return done


def test_the_next_process_gets_the_very_same(cache: Path, compilations: list[str]) -> None:
    first = compile_source(*ARGS)
    compile_source.cache_clear()  # as in a new process
    assert compile_source(*ARGS) == first
    assert compilations == ["control.cu"]
    assert len(list(cache.iterdir())) == 1
    assert cache.stat().st_mode & 0o077 == 0


AHEAD = [("control.cu", (f"-DNOTHING={n}",)) for n in range(4)]


def test_what_is_asked_for_is_compiled_ahead_once(cache: Path, compilations: list[str]) -> None:
    compile_ahead([*AHEAD, *AHEAD[:1]], "90", threads=3)
    assert len(list(cache.iterdir())) == 4
    # Two concurrent requests for one image compile once or twice.
    assert len(compilations) in (4, 5)
    done = len(compilations)
    compile_source.cache_clear()  # as in a new process
    compile_ahead(AHEAD, "90")
    for file, options in AHEAD:
        compile_source(file, options, "90")
    assert len(compilations) == done


def test_what_does_not_compile_is_left_to_the_case_that_needs_it(cache: Path) -> None:
    compile_source.cache_clear()
    compile_ahead([("stream.cu", ("-DVEC=5",)), AHEAD[0]], "90", threads=2)
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(MembenchError, match=r"stream\.cu does not compile"):
        compile_source("stream.cu", ("-DVEC=5",), "90")


def test_several_are_compiled_at_the_same_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each compilation waits for the other compilation, so sequential compilation would hang."""
    both = threading.Barrier(2, timeout=60)
    true = compiling.compile_text

    def compile_text(file: str, text: str, options: tuple[str, ...], arch: str) -> object:
        both.wait()
        return true(file, text, options, arch)

    monkeypatch.setattr(compiling, "compile_text", compile_text)
    compile_source.cache_clear()
    compile_ahead(AHEAD[:2], "90", threads=2)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"cubin": "%%%"}', b'{"cubin": ""}', b"\xff\xfe"]
)
def test_what_is_damaged_is_made_anew(cache: Path, compilations: list[str], damage: bytes) -> None:
    first = compile_source(*ARGS)
    (kept,) = cache.iterdir()
    kept.write_bytes(damage)
    compile_source.cache_clear()
    assert compile_source(*ARGS).cubin == first.cubin
    assert compilations == ["control.cu"] * 2
    assert kept.stat().st_size > 1000


@pytest.mark.usefixtures("cache")
def test_everything_that_the_code_follows_from_is_in_the_key(
    compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_source(*ARGS)
    compile_source("control.cu", ("-DNOTHING=2",), "90")
    compile_source("control.cu", ("-DNOTHING=1",), "80")
    compile_source.cache_clear()
    touched = {name: f"{text}\n" for name, text in compiling.kernel_headers().items()}
    monkeypatch.setattr(compiling, "kernel_headers", lambda: touched)
    compile_source(*ARGS)
    compile_source.cache_clear()
    monkeypatch.setattr(compiling, "_compiler", lambda: "99.9")
    compile_source(*ARGS)
    assert compilations == ["control.cu"] * 5


def test_without_a_place_to_keep_them_they_are_made_each_time(
    tmp_path: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    for _ in range(2):
        compile_source(*ARGS)
        compile_source.cache_clear()
    assert compilations == ["control.cu"] * 2


def test_a_key_tells_lists_apart_that_join_to_the_same() -> None:
    assert image_key([b"ab", b"c"]) != image_key([b"a", b"bc"]) != image_key([b"abc"])


def test_nothing_is_found_under_another_key(cache: Path) -> None:
    store_image("aa", {"cubin": b"\x7fELF", "log": "x"})
    assert load_image("aa") == {"cubin": b"\x7fELF", "log": "x"}
    assert load_image("ab") is None
    assert [path.name for path in cache.iterdir()] == ["aa.json"]
