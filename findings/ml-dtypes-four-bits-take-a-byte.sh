#!/usr/bin/env bash
# The size of arrays in the 4-bit types of ml_dtypes: int4, uint4, float4_e2m1fn (nbytes, itemsize).
#
# Expected: half a byte per number, so that nbytes of 1024 numbers is 512.
# Seen (ml_dtypes 0.6.0): one byte per number, so nbytes is 1024. Numbers of 2 and 6 bits also take
# one byte. ml_dtypes packs no two numbers into a byte, in memory and in tobytes. finfo and iinfo
# show 4 bits.
# For users: the size of a 4-bit KV cache or of 4-bit weights, computed from nbytes, is twice the
# size of the packed data on a GPU. A bandwidth computed from nbytes is also twice too high. Compute
# with the number of bits from finfo.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check ml-dtypes==0.6.0 \
    numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import ml_dtypes
import numpy as np

print(f"version: ml_dtypes {ml_dtypes.__version__}, NumPy {np.__version__}")
still = True
for name, bits in (("int4", 4), ("uint4", 4), ("float4_e2m1fn", 4), ("int2", 2), ("float6_e2m3fn", 6)):
    array = np.zeros(1024, getattr(ml_dtypes, name))
    info = (ml_dtypes.iinfo if "int" in name else ml_dtypes.finfo)(name)
    print(f"{name}: expected: {1024 * bits // 8} bytes for 1024 numbers of {info.bits} bits")
    print(f"{name}: seen: {array.nbytes}, and {len(array.tobytes())} by tobytes")
    still &= array.nbytes == len(array.tobytes()) == 1024 and info.bits == bits
sys.exit(0 if still else 1)
PYTHON
