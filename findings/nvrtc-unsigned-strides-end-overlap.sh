#!/usr/bin/env bash
# The usual loop of a bandwidth kernel, for (i = threadIdx.x; i < n; i += stride) sum += p[i], with
# "#pragma unroll 8". The stride has the type int, or the type unsigned or size_t, as blockDim.x and
# gridDim.x have.
#
# Expected: the same machine code except for the width of the index, with eight loads in flight
# together. The type of a counter only limits the size of arrays.
# Seen (NVRTC 13.5, sm_80 to sm_120): with int there are eight loads in a row and then the additions
# (four without the pragma). With blockDim.x itself, unsigned or size_t, there is eight times one
# load, its addition and a branch, with and without the pragma: an index that may wrap around does
# not give a loop with a known number of iterations. "int stride = blockDim.x", or a constant, is
# enough to get eight loads.
# For users: the common grid-stride loop with size_t has one load in flight per thread, even with
# the pragma. Two such benchmarks that differ only in a type have different bandwidths if the
# occupancy is low. Compute the number of iterations first and loop over it, or use int if the array
# is small enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check cuda-bindings==13.5.0 \
    nvidia-cuda-nvrtc==13.5.37 nvidia-cuda-nvdisasm==13.5.37
cd "$folder"
cat > sass.py <<'PYTHON'
"""Machine code of a kernel as NVRTC makes it: the order of its loads and of the additions that use them."""

import pathlib, re, subprocess, sysconfig

from cuda.bindings import nvrtc

DISASSEMBLER = pathlib.Path(sysconfig.get_path("purelib"), "nvidia/cu13/bin/nvdisasm")


def check(answer):
    error, *values = answer
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise RuntimeError(error)
    return values[0] if values else None


def version():
    return "NVRTC %d.%d" % nvrtc.nvrtcVersion()[1:]


def most_loads_in_a_row(source, chip):
    """How many loads the machine code has at most before the next addition."""
    program = check(nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    options = [f"--gpu-architecture={chip}".encode()]
    check(nvrtc.nvrtcCompileProgram(program, len(options), options))
    code = bytes(check(nvrtc.nvrtcGetCUBINSize(program)))
    check(nvrtc.nvrtcGetCUBIN(program, code))
    pathlib.Path("kernel.cubin").write_bytes(code)
    text = subprocess.check_output([DISASSEMBLER, "-c", "kernel.cubin"], text=True)
    names = re.findall(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z]\w*)", text, re.MULTILINE)
    order = "".join({"LDG": "L", "FADD": "F"}.get(name, "") for name in names)
    return max(len(row) for row in order.split("F"))
PYTHON
cat > measure.py <<'PYTHON'
import sys

from sass import most_loads_in_a_row, version

SUM = """extern "C" __global__ void k(const float *p, float *to, int n) { float sum = 0; int stride = blockDim.x;
%s
    %s sum += p[i];
    to[threadIdx.x] = sum; }"""
LOOPS = {
    "int": ("for (int i = threadIdx.x; i < n; i += stride)", 4, 8),
    "blockDim.x": ("for (int i = threadIdx.x; i < n; i += blockDim.x)", 1, 1),
    "unsigned": ("for (unsigned i = threadIdx.x; i < (unsigned)n; i += blockDim.x)", 1, 1),
    "size_t": ("for (size_t i = threadIdx.x; i < (size_t)n; i += (size_t)gridDim.x * blockDim.x)", 1, 1),
}

print(f"version: {version()}")
still = True
for chip in ("sm_80", "sm_90", "sm_100", "sm_120"):
    print(f"{chip}: expected: 8 loads in a row with #pragma unroll 8, for each type of the stride")
    for name, (loop, plain, unrolled) in LOOPS.items():
        seen = [most_loads_in_a_row(SUM % (pragma, loop), chip) for pragma in ("", "#pragma unroll 8")]
        print(f"{chip}: seen: {name}: {seen[1]} with the pragma, {seen[0]} without")
        still &= seen == [plain, unrolled]
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
