"""The folder of the reference results: inside an installed package, or beside it in a checkout.

Floor 0. A wheel contains ``results/reference/`` as ``membench/reference/``; an editable install and
a bare checkout read the folder of the checkout itself.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def reference_root() -> Path | None:
    """The folder that has a folder for each reference; None if there is none."""
    places = (_PACKAGE / "reference", _PACKAGE.parent / "results" / "reference")
    return next((place for place in places if place.is_dir()), None)
