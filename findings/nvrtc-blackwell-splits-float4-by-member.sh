#!/usr/bin/env bash
# A scale or add kernel over float4 arrays that is written member by member (to[i].x = 2 *
# from[i].x; and so on), without __restrict__.
#
# Expected: loads and stores of 16 bytes, on newer chips as on older ones.
# Seen (NVRTC 13.5): one LDG.E.128 and one STG.E.128 for sm_75 to sm_90; four loads and four stores
# of 4 bytes for sm_100, sm_103, sm_110, sm_120 and sm_121. Accesses to two float2 members are split
# there too. With __restrict__, or if the kernel reads the whole float4 into a variable and writes a
# whole float4, all chips get accesses of 16 bytes.
# For users: on Blackwell the same source has four times as many memory instructions as on Hopper,
# and each has a quarter of the bytes in flight. Read and write whole vectors.
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

MEMBERS = "to[i].x = 2 * from[i].x; to[i].y = 2 * from[i].y; to[i].z = 2 * from[i].z; to[i].w = 2 * from[i].w;"
WHOLE = "float4 v = from[i]; to[i] = make_float4(2 * v.x, 2 * v.y, 2 * v.z, 2 * v.w);"
KERNEL = 'extern "C" __global__ void k(const float4 *%s from, float4 *%s to) { int i = threadIdx.x; %s }'
SOURCES = {
    "by member": KERNEL % ("", "", MEMBERS),
    "by member, __restrict__": KERNEL % ("__restrict__", "__restrict__", MEMBERS),
    "whole": KERNEL % ("", "", WHOLE),
}
OLDER, NEWER = ("sm_75", "sm_80", "sm_89", "sm_90"), ("sm_100", "sm_103", "sm_110", "sm_120", "sm_121")

print(f"version: {version()}")
print("expected: 1 load and 1 store of 16 bytes, for every chip")
still = True
for chip in OLDER + NEWER:
    seen = {}
    for name, source in SOURCES.items():
        counted = instructions(source, chip)
        seen[name] = tuple(sum(n for i, n in counted.items() if i.startswith(kind)) for kind in ("LDG", "STG"))
    print(f"{chip}: seen: loads and stores", ", ".join(f"{name} {n}" for name, n in seen.items()))
    still &= seen["by member"] == ((1, 1) if chip in OLDER else (4, 4))
    still &= seen["by member, __restrict__"] == seen["whole"] == (1, 1)
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
