"""The examples of CONTRIBUTING.md as files, for the tests that follow the document."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "CONTRIBUTING.md"


def examples() -> dict[str, str]:
    """Path in the repository -> text of each example in CONTRIBUTING.md.

    An example is a code block after a line that contains only a path.
    """
    text = DOCUMENT.read_text(encoding="ascii")
    found = re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return dict(found)


def copy_of_the_tree(target: Path) -> None:
    """Copy every file of the repository that git tracks or does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():  # leave out files that are deleted but not committed
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)


def drop_in(target: Path) -> None:
    """Save the examples as new files in ``target``, a copy of the repository."""
    for name, text in examples().items():
        path = target / name
        assert not path.exists(), f"{name} is in the repository: the example must have another name"
        path.write_text(text, encoding="ascii")
