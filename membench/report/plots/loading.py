"""Loads Matplotlib for a command, without the texts of Matplotlib's reference."""

from __future__ import annotations

import sys


def load_matplotlib() -> None:
    """Load the modules that draw a plot, in a sixth less time than an ordinary import.

    When Matplotlib is loaded, it writes the documentation of all properties of its classes. A
    command shows no such documentation. Another program may show it, so there Matplotlib is loaded
    as usual.
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
