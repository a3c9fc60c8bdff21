#!/usr/bin/env bash
# A pointer chase in a CUDA kernel, p = (void **)*p, with the addresses themselves in memory; and
# the same chase by index, j = table[j].
#
# Expected: both use global loads (LDG). The table is an argument of the kernel, so the compiler
# knows that it is in global memory.
# Seen (NVRTC 13.5, sm_80 to sm_120): the chase by index uses LDG. The chase by address uses LD, a
# generic load: a pointer that was read from memory may also point to shared or local memory, and
# the hardware must find this out for each load.
# For users: the two chases measure the latencies of two different instructions. Only the chase by
# index measures the latency of global loads in other kernels (not timed here). Chase by index, or
# load with ld.global.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check cuda-bindings==13.5.0 \
    nvidia-cuda-nvrtc==13.5.37 nvidia-cuda-nvdisasm==13.5.37
cd "$folder"
cat > sass.py <<'PYTHON'
"""Machine code of a kernel as NVRTC makes it: the names of its memory instructions, counted."""

import collections, pathlib, re, subprocess, sysconfig

from cuda.bindings import nvrtc

DISASSEMBLER = pathlib.Path(sysconfig.get_path("purelib"), "nvidia/cu13/bin/nvdisasm")


def check(answer):
    error, *values = answer
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RuntimeError(error)
    return values[0] if values else None


def version():
    return "NVRTC %d.%d" % nvrtc.nvrtcVersion()[1:]


def instructions(source, chip):
    program = check(nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    options = [f"--gpu-architecture={chip}".encode()]
    check(nvrtc.nvrtcCompileProgram(program, len(options), options))
    code = bytes(check(nvrtc.nvrtcGetCUBINSize(program)))
    check(nvrtc.nvrtcGetCUBIN(program, code))
    pathlib.Path("kernel.cubin").write_bytes(code)
    text = subprocess.check_output([DISASSEMBLER, "-c", "kernel.cubin"], text=True)
    names = re.findall(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z][\w.]*)", text, re.MULTILINE)
    return collections.Counter(name for name in names if re.match("LDG|LD[.]", name))
PYTHON
cat > measure.py <<'PYTHON'
import sys

from sass import instructions, version

CHASE = 'extern "C" __global__ void k(%s) { %s for (int i = 0; i < n; i++) %s; *to = at; }'
BY_INDEX = CHASE % ("const unsigned *table, unsigned *to, int n", "unsigned at = 0;", "at = table[at]")
BY_ADDRESS = CHASE % ("void **table, void **to, int n", "void **at = table;", "at = (void **)*at")


def kinds(source, chip):
    return sorted({name.split(".")[0] for name in instructions(source, chip)})


print(f"version: {version()}")
still = True
for chip in ("sm_80", "sm_90", "sm_100", "sm_120"):
    index, address = kinds(BY_INDEX, chip), kinds(BY_ADDRESS, chip)
    print(f"{chip}: expected: LDG in both; seen: by index {index}, by address {address}")
    still &= index == ["LDG"] and address == ["LD"]
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
