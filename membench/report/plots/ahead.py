"""Draw plots in a second process, while this process computes the rest of a report.

The second process stores the plots in the cache on disk, and `Plot.svg` reads them from the cache.
`Plot.svg` also draws each plot that the cache lacks. So the page is the same if the second process
fails.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from membench.core.cache_dir import cache_directory
from membench.report.plots.loading import load_matplotlib
from membench.report.plots.style import CACHE, Plot

Draw = Callable[[Sequence[Plot]], None]
"""Draws the plots that the cache lacks."""


@contextmanager
def drawn_ahead(first: Sequence[Plot]) -> Iterator[Draw]:
    """Draw the plots ``first`` in a second process while the body of the context runs.

    After the body, the context waits for the second process. If the body raises an error, the
    context first kills the second process. There is no second process in these cases:

    - the cache already has all plots of ``first``
    - `_can_draw_ahead` is False
    - the system cannot start a process

    Yields:
        A function that draws further plots in the second process. Without a second process, the
        function does nothing.
    """
    plots = _uncached(first)
    if not plots or not _can_draw_ahead():
        yield lambda _plots: None
        return
    source, target = os.pipe()
    child = _fork()
    if child is None:
        os.close(source)
        os.close(target)
        yield lambda _plots: None
        return
    if child == 0:
        os.close(target)
        _draw(plots, source)
    os.close(source)
    try:
        yield lambda more: _send(_uncached(more), target)
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(target)
        with suppress(ChildProcessError):  # if SIGCHLD is ignored, no child is left to wait for
            os.waitpid(child, 0)


def _can_draw_ahead() -> bool:
    """Whether this process has one thread, two or more CPUs, and a cache on disk.

    A process with several threads must not fork: another thread may hold a lock, and the second
    process would wait for this lock forever.
    """
    return (
        threading.active_count() == 1
        and len(os.sched_getaffinity(0)) > 1
        and cache_directory(CACHE) is not None
    )


def _uncached(plots: Sequence[Plot]) -> list[Plot]:
    return [plot for plot in plots if not plot.is_cached()]


def _fork() -> int | None:
    """The result of `os.fork`; None if the system has too many processes or too little memory."""
    with warnings.catch_warnings(), suppress(OSError):
        # Python 3.12 warns of the threads of NumPy's OpenBLAS. OpenBLAS ends them before a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
    return None


def _send(plots: Sequence[Plot], target: int) -> None:
    with suppress(BrokenPipeError), open(target, "wb", closefd=False) as pipe:
        pickle.dump(plots, pipe)


def _draw(plots: Sequence[Plot], source: int) -> NoReturn:
    """In the second process: draw ``plots`` and all plots from ``source``, and exit."""
    try:
        load_matplotlib()
        with open(source, "rb") as pipe:
            while True:
                for plot in plots:
                    plot.svg()
                plots = pickle.load(pipe)  # noqa: S301 - from the process that forked this one
    finally:
        os._exit(0)  # also after an error: the first process draws what the cache lacks
