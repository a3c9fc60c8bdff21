#!/usr/bin/env bash
# The cost of an acquire operation, or of __threadfence(), in a CUDA kernel that reads the same data
# again afterwards.
#
# Expected: an order among the loads and stores of this thread, and a wait; the L1 cache keeps its
# lines. On a CPU an acquire load is an ordinary load.
# Seen (NVRTC 13.5, sm_80 to sm_120): after an acquire load at the scope of the GPU or the system
# the compiler emits CCTL.IVALL, which invalidates the whole L1 cache of the SM (not timed here). It
# also emits CCTL.IVALL after each __threadfence(), __threadfence_system() and fence.acq_rel.gpu. It
# does not emit CCTL.IVALL at the scope of the block (__threadfence_block, ld.acquire.cta,
# __syncthreads), or after a release or a relaxed load.
# For users: if a kernel waits for a flag (cuda::atomic, a grid barrier, a spin lock) between two
# timed reads, the second read begins with an empty L1, for every block on that SM. Wait with
# relaxed loads, and acquire once.
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

KERNEL = """extern "C" __global__ void k(float *from, float *to, int *flag, int n) {
    int i = threadIdx.x, seen = 0; float before = from[i]; %s; to[i] = before + from[i + n] + seen; }"""
LOAD = 'asm volatile("ld.%s.global.u32 %%0, [%%1];" : "=r"(seen) : "l"(flag) : "memory")'
STORE = 'asm volatile("st.release.gpu.global.u32 [%0], %1;" :: "l"(flag), "r"(n) : "memory")'
EMPTIES = {
    "ld.acquire.gpu": LOAD % "acquire.gpu",
    "ld.acquire.sys": LOAD % "acquire.sys",
    "__threadfence()": "__threadfence()",
    "__threadfence_system()": "__threadfence_system()",
    "fence.acq_rel.gpu": 'asm volatile("fence.acq_rel.gpu;" ::: "memory")',
}
KEEPS = {
    "ld.relaxed.gpu": LOAD % "relaxed.gpu",
    "ld.acquire.cta": LOAD % "acquire.cta",
    "st.release.gpu": STORE,
    "__threadfence_block()": "__threadfence_block()",
    "__syncthreads()": "__syncthreads()",
}

print(f"version: {version()}")
print("expected: CCTL.IVALL (all of L1 becomes invalid) after none of them")
still = True
for chip in ("sm_80", "sm_90", "sm_100", "sm_120"):
    seen = {
        name: instructions(KERNEL % text, chip)["CCTL.IVALL"]
        for name, text in {**EMPTIES, **KEEPS}.items()
    }
    print(f"{chip}: seen: CCTL.IVALL after {', '.join(name for name in seen if seen[name])}")
    still &= all(seen[name] == 1 for name in EMPTIES) and not any(seen[name] for name in KEEPS)
sys.exit(0 if still else 1)
PYTHON
"$folder/venv/bin/python" measure.py
