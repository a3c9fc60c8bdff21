#!/usr/bin/env bash
# A pointer chase, or any load, through a "volatile" pointer in a CUDA kernel.
#
# Expected: because of volatile the compiler does not remove or merge the loads. The loads in the
# machine code are ordinary loads, which hit in L1.
# Seen (NVRTC 13.5, sm_80 to sm_120): LDG.E.STRONG.SYS instead of LDG.E. This load is coherent with
# the whole system; it is the instruction of __ldcv ("do not cache, fetch again"). PTX's manual
# gives ld.volatile the meaning of ld.relaxed.sys. A volatile float4 becomes four loads of 4 bytes,
# not one of 16.
# For users: a chase through a volatile pointer does not measure a hit in L1 (not timed here). The
# L1 cache is not coherent with other SMs and the host, so a coherent load must bypass L1. A volatile
# copy moves a quarter of the bytes per instruction. To keep the loads without volatile, make the
# next address or a stored value depend on the loaded data.
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

KERNEL = 'extern "C" __global__ void k(float *from, float *to) { int i = threadIdx.x; %s }'
PLAIN = KERNEL % "to[i] = from[i];"
VOLATILE = KERNEL % "to[i] = *(volatile float *)(from + i);"
LDCV = KERNEL % "to[i] = __ldcv(from + i);"
WIDE = KERNEL % "float4 *q = (float4 *)from; to[i] = q[i].x + q[i].y + q[i].z + q[i].w;"
WIDE_VOLATILE = WIDE.replace("float4 *", "volatile float4 *")

print(f"version: {version()}")
still = True
for chip in ("sm_80", "sm_90", "sm_100", "sm_120"):
    loads = [
        {name: n for name, n in instructions(source, chip).items() if name.startswith("LDG")}
        for source in (PLAIN, VOLATILE, LDCV, WIDE, WIDE_VOLATILE)
    ]
    plain, volatile, ldcv, wide, wide_volatile = loads
    print(f"{chip}: expected: volatile float {plain}, volatile float4 {wide}")
    print(f"{chip}: seen: volatile float {volatile}, __ldcv {ldcv}, volatile float4 {wide_volatile}")
    still &= plain == {"LDG.E": 1} and volatile == ldcv == {"LDG.E.STRONG.SYS": 1}
    still &= wide == {"LDG.E.128": 1} and wide_volatile == {"LDG.E.STRONG.SYS": 4}
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
