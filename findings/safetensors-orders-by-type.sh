#!/usr/bin/env bash
# The order of tensors in a safetensors file that save_file writes from a dictionary.
#
# Expected: the order of the dictionary, for example layer by layer, so that one layer is one piece
# of the file.
# Seen (safetensors 0.8.0): tensors are sorted by type, the wider types first, and then by name.
# With weights in fp8 and scales in fp32, the scales of all layers come first; layer 10 comes before
# layer 2.
# For users: to load one layer of a quantized model, or to stream its layers in order, a program
# must read two distant places in the file for each layer. A reader that relies on the order (one
# read per layer) gets the tensors of another layer. Use data_offsets; to stream layers, put each
# layer into a separate file.
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
