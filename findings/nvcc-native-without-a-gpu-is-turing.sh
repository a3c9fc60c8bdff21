#!/usr/bin/env bash
# nvcc -arch=native on a machine without a GPU: a login node, a container build, a CI job.
#
# Expected: an error, because the machine has no chip to build for.
# Seen (nvcc 13.5.37): a warning and exit code 0, and a program for sm_75 (Turing, 2018) with PTX of
# compute_75. If the program then runs on an H100 or B200, the driver translates this PTX.
# For users: the program runs and gives correct results, but its code does not use newer
# instructions (bulk copies, loads of 256 bits, clusters), and the driver translates it at the first
# start. Name the chip.
# Needs: a C++ compiler (g++).
set -euo pipefail
command -v g++ > /dev/null || { echo "needs g++, which nvcc calls" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check nvidia-cuda-nvcc==13.5.37 \
    nvidia-cuda-crt==13.5.37 nvidia-nvvm==13.5.37 nvidia-cuda-runtime==13.5.37 nvidia-cuda-cuobjdump==13.5.37
cd "$folder"
tools=$(echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13/bin)
echo "version: $("$tools/nvcc" --version | tail -1)"

echo 'extern "C" __global__ void k(float *p) { p[threadIdx.x] = 1; }' > kernel.cu
code=0
"$tools/nvcc" -arch=native -fatbin -o kernel.fatbin kernel.cu 2> complaints || code=$?
built=$("$tools/cuobjdump" -lelf -lptx kernel.fatbin | grep -o 'sm_[0-9a-z]*' | sort -u | tr '\n' ' ')
echo "expected: an error"
echo "seen: exit code $code, code for $built; $(cat complaints)"
[ "$code" = 0 ] && [ "$built" = "sm_75 " ]
