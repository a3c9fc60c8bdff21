"""Load Matplotlib without the documentation that Matplotlib generates while loading."""

from __future__ import annotations

import sys


def load_matplotlib() -> None:
    """Load the modules that draw a plot, faster than an ordinary import.

    While Matplotlib loads, it generates the documentation of its properties. This function prevents
    that in a command of membench. In any other program, or if Matplotlib is already loaded, the
    function does nothing.
    """
    if "membench.cli" not in sys.modules or "matplotlib" in sys.modules:
        return
    from matplotlib import artist

    written = artist.kwdoc
    artist.kwdoc = lambda artist: ""  # noqa: ARG005
    try:
        import matplotlib.backends.backend_svg
        import matplotlib.figure  # noqa: F401
    finally:
        artist.kwdoc = written
