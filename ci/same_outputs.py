"""Compare the outputs of two checkouts: ``python ci/same_outputs.py OTHER [NAME..]``.

Use the script for changes that must affect only speed. Every command below runs in this checkout
and in ``OTHER`` (from ``git worktree add OTHER main``) on the built-in references. The script
compares printed text, written files and exit codes. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

HERE = Path(__file__).parent.parent
REFERENCES = HERE / "results" / "reference"
RUN = next(REFERENCES.glob("epyc-zen4-2cpu-vm/*_quick.csv"))
GPUS = [REFERENCES / name / "figures.csv" for name in ("h100-sxm", "gh200-96", "a100-pcie")]
ALL = sorted(REFERENCES.glob("*/figures.csv"))


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, arguments) of every command. Commands write their files to ``folder``."""
    run, gpus, every = str(RUN), [str(path) for path in GPUS], [str(path) for path in ALL]
    crlf = folder / "crlf.csv"
    crlf.write_bytes(RUN.read_bytes().replace(b"\n", b"\r\n"))
    for form in ("table", "md", "csv", "json"):
        yield f"compare-{form}", ["compare", *every, "--format", form]
        yield f"against-{form}", ["compare", run, "--against", "ref:h100-sxm", "--format", form]
        yield f"crlf-{form}", ["compare", f"lf={run}", f"crlf={crlf}", "--format", form]
        yield f"by-{form}", ["compare", run, "--by", "threads", "--format", form]
    for name, files in (("run", [run]), ("gpus", gpus), ("all", [run, *every]), ("crlf", [crlf])):
        for suffix in ("json", "html", "md"):
            output = folder / f"{name}.{suffix}"
            yield f"report-{name}-{suffix}", ["report", *map(str, files), "-o", str(output)]
    yield "report-zh", ["report", run, "-o", str(folder / "zh.html"), "--lang", "zh-TW"]
    for model in ("llama-3.1-70b", "deepseek-v3"):
        arguments = ["advise", gpus[0], "--model", model, "--context", "32768"]
        yield f"advise-{model}", arguments
        yield f"advise-{model}-json", [*arguments, "--json"]
    for profile in ("quick", "full"):
        yield f"list-{profile}", ["list", "--profile", profile]
        yield f"list-{profile}-json", ["list", "--profile", profile, "--json"]
    yield "list-references", ["list", "--references"]
    yield "plan", ["run", "--dry-run", "-o", str(folder / "o.csv")]
    yield "replay", ["replay", "--format", "csv"]
    yield "explain", ["explain", "C01"]
    yield "missing", ["compare", run, str(folder / "none.csv")]
    for command in ("run", "list", "compare", "report", "advise", "replay", "import", "export"):
        yield f"help-{command}", [command, "--help"]


def outputs(checkout: Path, wanted: list[str]) -> dict[str, bytes]:
    """Name -> everything that the ``wanted`` commands of ``checkout`` print and write."""
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="membench-same-") as scratch:
        folder = Path(scratch, "o")
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "100"}
        for name, arguments in commands(folder):
            if wanted and not any(name.startswith(one) for one in wanted):
                continue
            command = [sys.executable, "-m", "membench", *arguments]
            done = subprocess.run(
                command, capture_output=True, check=False, cwd=folder, env=environment
            )
            said = b"exit %d\n" % done.returncode + done.stdout + b"\n--\n" + done.stderr
            found[name] = said
        for path in sorted(folder.iterdir()):
            found[path.name] = path.read_bytes()
    in_markdown = scratch.replace("_", r"\_")
    own = re.compile(b"|".join(re.escape(one.encode()) for one in (in_markdown, scratch)))
    return {name: own.sub(b"SCRATCH", text) for name, text in found.items()}


def main() -> int:
    other, *wanted = sys.argv[1:]
    checkouts = HERE.resolve(), Path(other).resolve()
    # Both checkouts read the references of this one, so outputs of both can name either path.
    longest_first = sorted(map(os.fsencode, checkouts), key=len, reverse=True)
    paths = re.compile(b"|".join(map(re.escape, longest_first)))
    here, there = (
        {name: paths.sub(b"TREE", text) for name, text in outputs(one, wanted).items()}
        for one in checkouts
    )
    differing = [name for name in here | there if here.get(name) != there.get(name)]
    for name in differing:
        pairs = zip_longest(*(one.get(name, b"").splitlines() for one in (here, there)))
        line = next(number for number, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        print(f"{name} differs; the first different line is {line}")
    count = len(here | there)
    print(f"{count - len(differing)} of {count} outputs have identical bytes")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
