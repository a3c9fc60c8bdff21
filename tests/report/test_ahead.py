"""Plots that a second process draws are the plots that this process would draw."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from membench.report.plots import ahead, style
from membench.report.plots.ahead import drawn_ahead


def _plot(slug: str, top: float) -> style.Plot:
    def paint(canvas: Any) -> None:
        axes = canvas.subplots()
        axes.plot([1, 2, 3], [1.0, 4.0, top], label=slug, **style.line(0))
        style.log_axis(axes, "y", [1, top])
        style.square(axes, 2, 3, 0.1)
        style.legend(canvas, axes)

    return style.plot(slug, f"Title of {slug}", "A line.", 120, paint)


FIRST, MORE = _plot("first", 5), _plot("more", 6)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # other tests may leave threads


@contextmanager
def _no_child_is_left() -> Iterator[None]:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text()
    yield
    assert children.read_text() == before


def _forbidden() -> int:
    raise AssertionError("a second process was started")


def test_a_second_process_draws_what_this_process_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _no_child_is_left(), drawn_ahead([FIRST]) as draw:
        draw([FIRST, MORE])
    assert FIRST.is_cached()
    assert MORE.is_cached()
    ahead_of_time = [FIRST.svg(), MORE.svg()]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert not FIRST.is_cached()
    assert [FIRST.svg(), MORE.svg()] == ahead_of_time


def test_a_killed_process_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "load_matplotlib", lambda: os.kill(os.getpid(), signal.SIGKILL))
    with _no_child_is_left(), drawn_ahead([FIRST]) as draw:
        draw([_plot(f"later-{number}", 7) for number in range(100)])  # more than a pipe holds
    assert not FIRST.is_cached()
    assert FIRST.svg().startswith("<svg")


def test_a_failed_process_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def failed() -> None:
        raise ImportError

    monkeypatch.setattr(ahead, "load_matplotlib", failed)
    with _no_child_is_left(), drawn_ahead([FIRST]):
        pass
    assert not FIRST.is_cached()
    assert capfd.readouterr() == ("", "")


def test_a_report_needs_no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refused)
    files = len(list(Path("/proc/self/fd").iterdir()))
    with drawn_ahead([FIRST]) as draw:
        draw([FIRST, MORE])
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert not FIRST.is_cached()


def test_an_error_ends_the_second_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "load_matplotlib", signal.pause)
    with _no_child_is_left(), pytest.raises(KeyError, match="mine"), drawn_ahead([FIRST]):
        raise KeyError("mine")


def test_a_caller_may_ignore_the_ends_of_children() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with _no_child_is_left(), drawn_ahead([FIRST]):
            pass
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert FIRST.is_cached()


def test_cached_plots_need_no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    FIRST.svg()
    monkeypatch.setattr(os, "fork", _forbidden)
    with drawn_ahead([FIRST]) as draw:
        draw([FIRST, MORE])
    assert not MORE.is_cached()


@pytest.mark.parametrize("lack", ["CPU", "cache", "lone thread"])
def test_no_second_process_where_it_is_of_no_use(
    lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", _forbidden)
    match lack:
        case "CPU":
            monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0})
        case "cache":
            monkeypatch.delenv("XDG_CACHE_HOME")
            monkeypatch.delenv("HOME", raising=False)
        case _:
            monkeypatch.setattr(threading, "active_count", lambda: 2)
    with drawn_ahead([FIRST]) as draw:
        draw([MORE])
    assert not FIRST.is_cached()
