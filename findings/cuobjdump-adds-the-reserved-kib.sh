#!/usr/bin/env bash
# The shared memory of a kernel with one static array of 1024 bytes, according to ptxas -v and
# cuobjdump -res-usage for the same build.
#
# Expected: both show 1024 bytes for every chip.
# Seen (CUDA 13.5): ptxas shows 1024 bytes for all chips. cuobjdump shows 1024 for sm_80 and sm_89,
# but 2048 for sm_90, sm_100 and sm_120: from Hopper on it adds the 1 KiB that the system reserves
# in each block. The system reserves this KiB on sm_80 too, but cuobjdump does not add the KiB there.
# For users: the usual formula for the number of blocks per SM adds the reserved KiB. With the size
# from cuobjdump, the formula counts the KiB twice from Hopper on. In a comparison of chips, 1 KiB
# more shared memory is not a difference of the kernel.
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

cat > kernel.cu <<'CUDA'
extern "C" __global__ void k(const float *from, float *to)
{
    __shared__ float s[256];
    s[threadIdx.x] = from[threadIdx.x];
    __syncthreads();
    to[threadIdx.x] = s[threadIdx.x ^ 1];
}
CUDA
seen=
for chip in sm_80 sm_89 sm_90 sm_100 sm_120; do
    "$tools/nvcc" -arch="$chip" -cubin -Xptxas -v -o kernel.cubin kernel.cu 2> said
    ptxas=$(grep -o '[0-9]* bytes smem' said | cut -d' ' -f1)
    cuobjdump=$("$tools/cuobjdump" -res-usage kernel.cubin 2>&1 | grep -o 'SHARED:[0-9]*' | cut -d: -f2)
    echo "$chip: expected: 1024 and 1024; seen: ptxas $ptxas, cuobjdump $cuobjdump"
    seen="$seen$ptxas/$cuobjdump "
done
[ "$seen" = "1024/1024 1024/1024 1024/2048 1024/2048 1024/2048 " ]
