#!/usr/bin/env bash
# The order of tensors in a safetensors file that save_file writes from a dictionary.
#
# Expected: the order in which they were given, layer by layer, so that reading one layer reads one
# piece of the file; that is what the order of a dictionary is for.
# Seen (safetensors 0.8.0): sorted by type, the wider types first, then by name. With
# weights in fp8 and scales in fp32 all scales of all layers come first; layer 10 comes before layer
# 2.
# For users: loading one layer, or streaming layers in their order, of a quantized model reads the
# file at two distant places for each layer, and a reader that trusts the order (one read for a
# layer) gets another layer's tensors. Go by data_offsets; put each layer into a file of its own to
# stream it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check safetensors==0.8.0 \
    numpy==2.4.6 \
    ml-dtypes==0.6.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json, struct, sys

import ml_dtypes
import numpy as np
import safetensors
from safetensors.numpy import save_file

tensors = {}
for layer in (0, 1, 2, 10):
    tensors[f"layers.{layer}.weight"] = np.ones(64, ml_dtypes.float8_e4m3fn)
    tensors[f"layers.{layer}.scale"] = np.ones(2, np.float32)
save_file(tensors, "model.safetensors")
with open("model.safetensors", "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
order = sorted(header, key=lambda name: header[name]["data_offsets"])
print(f"version: safetensors {safetensors.__version__}")
print("expected:", *tensors)
print("seen:", *order)
layers = ("0", "1", "10", "2")
wanted = [f"layers.{n}.scale" for n in layers] + [f"layers.{n}.weight" for n in layers]
sys.exit(0 if order == wanted else 1)
PYTHON
