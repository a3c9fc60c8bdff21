"""Compare membench with nvbandwidth and BabelStream on the same GPU, with the same sizes.

    ci/gpu_peers.py OUTDIR [--dry-run]

The environment variable PEERS names a folder (default: ``peers``) with the sources of nvbandwidth,
BabelStream or both. The script builds the tools in a temporary folder, and removes the folder
afterwards. The build needs CUDA and CMake. PEERS may also contain:

- PEERS/include: nvml.h
- PEERS/boost (include/ and lib/): Boost's program_options, for nvbandwidth up to 0.9
- PEERS/argparse: the sources of argparse, for nvbandwidth 0.10

OUTDIR receives membench's run (peers.csv), each tool's results (nvbandwidth.csv, babelstream.csv)
and the ratios (ratios.csv). If a tool is missing, does not build or does not run, the script prints
the name of the tool, and still compares the other tool. --dry-run lists the steps and the missing
tools. PYTHONPATH must name the checkout; ci/gpu.sh sets PYTHONPATH.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5
COPY = "256MiB"
ARRAY_ELEMENTS = 1 << 27  # doubles: 1 GiB per array, as in membench's streams

OURS = (
    f"link/h2d/size={COPY}/mem=pinned/engine=ce/streams=1",
    f"link/d2h/size={COPY}/mem=pinned/engine=ce/streams=1",
    "hbm/d2d/size=1GiB/count=payload",
    *(f"hbm/{name}/size=1GiB/vec=16" for name in ("copy", "scale", "add", "triad", "nstream")),
)


@dataclass(frozen=True)
class Peer:
    """Another tool, with the commands to build the tool, run it and import its results.

    Attributes:
        folder: name of the tool's folder in PEERS.
        build: a shell line that builds from ``{src}`` into ``{out}``.
        runs: pairs (shell line, settings of the import); each line prints output that `membench
            import` reads.
    """

    folder: str
    form: str
    build: str
    runs: tuple[tuple[str, tuple[str, ...]], ...]


_COPIES = "host_to_device_memcpy_ce device_to_host_memcpy_ce"
PEERS = (
    Peer(
        "nvbandwidth",
        "nvbandwidth",
        # Downloads are off: the build fails if a dependency is not in PEERS.
        "cmake -S {src} -B {out} -DCMAKE_BUILD_TYPE=Release -DFETCHCONTENT_FULLY_DISCONNECTED=ON"
        " -DFETCHCONTENT_SOURCE_DIR_ARGPARSE={peers}/argparse && cmake --build {out} -j 16",
        (
            (f"{{out}}/nvbandwidth -j -b 256 -t {_COPIES}", (f"size={COPY}",)),
            ("{out}/nvbandwidth -j -b 1024 -t device_local_copy", ("size=1GiB",)),
        ),
    ),
    Peer(
        "BabelStream",
        "babelstream",
        "cmake -S {src} -B {out} -DMODEL=cuda -DCMAKE_BUILD_TYPE=Release -DCUDA_ARCH=native"
        " -DCMAKE_CUDA_COMPILER=$(command -v nvcc) && cmake --build {out} -j 16",
        ((f"{{out}}/cuda-stream --csv -s {ARRAY_ELEMENTS}", ("tier=hbm",)),),
    ),
)


def membench(*arguments: str) -> list[str]:
    """A command line that runs membench from this checkout."""
    return [sys.executable, "-m", "membench", *arguments]


def shell(
    line: str, output: int | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run ``line`` in a shell. The standard error of ``line`` goes to the screen."""
    print(f"$ {line}", flush=True)
    command = ["bash", "-euo", "pipefail", "-c", line]
    return subprocess.run(command, check=False, stdout=output, env=environment)


def build_environment(folder: Path, scratch: Path) -> dict[str, str]:
    """Environment variables for the build: headers in ``folder``, and the driver's libraries.

    Tools link with library names that only development packages contain. So ``scratch`` gets
    symbolic links with these names to the libraries that the loader finds.
    """
    names = scratch / "lib"
    names.mkdir()
    for name in ("cuda", "nvidia-ml"):
        with suppress(OSError, StopIteration):
            ctypes.CDLL(f"lib{name}.so.1")
            maps = Path("/proc/self/maps").read_text().splitlines()
            found = next(line.split()[-1] for line in maps if f"/lib{name}.so" in line)
            (names / f"lib{name}.so").symlink_to(found)
    return {
        **os.environ,
        "CPATH": os.pathsep.join(filter(None, [str(folder / "include"), os.environ.get("CPATH")])),
        "LIBRARY_PATH": str(names),
        "BOOST_ROOT": os.environ.get("BOOST_ROOT", str(folder / "boost")),
    }


def figures(
    peer: Peer, source: Path, out: Path, scratch: Path, environment: Mapping[str, str] | None = None
) -> list[Path] | str:
    """The results files of ``peer``'s runs, or the reason for missing results."""
    places = {
        "src": shlex.quote(str(source)),
        "peers": shlex.quote(str(source.parent)),
        "out": shlex.quote(str(scratch / peer.folder)),
    }
    if shell(peer.build.format(**places), environment=environment).returncode:
        return "does not build"
    found = []
    for number, (line, settings) in enumerate(peer.runs):
        ran = shell(line.format(**places), subprocess.PIPE)
        if ran.returncode:
            return f"ends with exit code {ran.returncode}"
        raw = scratch / f"{peer.form}{number}"
        raw.write_bytes(ran.stdout)
        target = out / f"{peer.form}{number or ''}.csv"
        given = [
            word for setting in (*settings, f"machine={peer.form}") for word in ("--set", setting)
        ]
        reading = membench("import", peer.form, str(raw), "-o", str(target), *given)
        if subprocess.run(reading, check=False).returncode:
            return "prints unreadable output"
        found.append(target)
    return found


def ratios(ours: Path, theirs: list[Path], out: Path) -> int:
    """Write and print the ratios of membench's values to the other tools' values.

    Returns the exit code.
    """
    labels = [*(f"{path.stem.rstrip('01')}={path}" for path in theirs), f"membench={ours}"]
    table = out / "ratios.csv"
    with table.open("wb") as file:
        command = membench("compare", *labels, "--cross-machine", "--format", "csv")
        status = subprocess.run(command, stdout=file, check=False).returncode
    subprocess.run(membench("compare", *labels, "--cross-machine"), check=False)
    return status


def _measured(run: list[str], ours: Path) -> int:
    """Measure into ``ours``, or continue an earlier run; return the exit code."""
    if ours.with_suffix(".journal").exists():
        run = ["run", "--resume", str(ours)]
    elif ours.exists():
        return 0
    else:
        run = [*run, "--strict", "-o", str(ours)]
    return subprocess.run(membench(*run), check=False).returncode


def main(arguments: list[str]) -> int:
    """Build the tools, run the tools and membench, and compare the results."""
    out, dry = Path(arguments[0]), arguments[1:] == ["--dry-run"]
    folder = Path(os.environ.get("PEERS", "peers")).resolve()
    present = [peer for peer in PEERS if (folder / peer.folder).is_dir()]
    for peer in PEERS:
        print(f"{peer.folder}: {'present' if peer in present else f'absent from {folder.name}/'}")
    selected = [word for case in OURS for word in ("--select", case)]
    ours = out / "peers.csv"
    run = ["run", "--profile", "full", "--rounds", str(ROUNDS), *selected]
    if dry:
        names = {"peers": folder.name, "out": "BUILD"}
        for peer in PEERS:
            for line in (peer.build, *(line for line, _ in peer.runs)):
                print("would run:", line.format(src=f"{folder.name}/{peer.folder}", **names))
        return subprocess.run(membench(*run, "--dry-run", "--all"), check=False).returncode
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        theirs: list[Path] = []
        environment = build_environment(folder, Path(scratch))
        for peer in present:
            found = figures(peer, folder / peer.folder, out, Path(scratch), environment)
            if isinstance(found, str):
                failed.append(f"{peer.folder} {found}")
            else:
                theirs += found
        status = _measured(run, ours)
        if theirs and ours.exists():
            status = status or ratios(ours, theirs, out)
    for line in failed:
        print(line)
    return status or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
