#!/usr/bin/env bash
# Reading an aligned struct of 16 bytes (four floats, eight halves of a KV cache, sixteen bytes of
# fp8) in a CUDA kernel. The kernel adds up its members in an unrolled loop of fixed length, or in a
# written-out sum.
#
# Expected: the same machine code with one load of 16 bytes, because after unrolling both are the
# same expressions.
# Seen (NVRTC 13.5, sm_80 to sm_120): the written-out sum has one LDG.E.128. The loop has one load
# per member: 4 loads of 4 bytes, 8 of 2 bytes or 16 of 1 byte, also with "#pragma unroll". If the
# kernel first copies the struct into a variable, it has one load of 16 bytes again.
# For users: kernels over 16-bit and 8-bit types that are "vectorized" by a struct and a loop have 8
# or 16 times as many loads, and the rate of instructions limits their bandwidth. Copy the struct
# before the loop.
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
    return collections.Counter(name for name in names if re.match("LDG|STG|CCTL|MEMBAR", name))
PYTHON
cat > measure.py <<'PYTHON'
import sys

from sass import instructions, version

KERNEL = """struct __align__(16) Block { %s m[%d]; };
extern "C" __global__ void k(const Block *from, float *to) {
    int i = threadIdx.x; float sum = 0; %s
    to[i] = sum; }"""
LOOP = """
#pragma unroll
    for (int j = 0; j < %d; j++) sum += %s[j];"""


def loads(source, chip):
    return {name: n for name, n in instructions(source, chip).items() if name.startswith("LDG")}


print(f"version: {version()}")
still = True
for chip in ("sm_80", "sm_90", "sm_100", "sm_120"):
    for kind, count, single in (("float", 4, "LDG.E"), ("unsigned short", 8, "LDG.E.U16"), ("unsigned char", 16, "LDG.E.U8")):
        out = loads(KERNEL % (kind, count, "sum = " + " + ".join(f"from[i].m[{j}]" for j in range(count)) + ";"), chip)
        loop = loads(KERNEL % (kind, count, LOOP % (count, "from[i].m")), chip)
        copied = loads(KERNEL % (kind, count, "Block block = from[i];" + LOOP % (count, "block.m")), chip)
        print(f"{chip}: {count} {kind}: expected: as written out {out}")
        print(f"{chip}: {count} {kind}: seen: as a loop {loop}, copied first {copied}")
        still &= out == copied == {"LDG.E.128": 1} and loop == {single: count}
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
