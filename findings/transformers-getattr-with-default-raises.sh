#!/usr/bin/env bash
# Reading head_dim from a configuration of Gemma 4: getattr(config, "head_dim", None), hasattr.
#
# Expected: a number, or the default; hasattr raises no exception. Programs that compute the size of
# a KV cache use these functions for keys that only some models have.
# Seen (transformers 5.23.0): both raise a RuntimeError, because head_dim differs by layer (256 with
# a sliding window, 512 with full attention). It is not an AttributeError, so Python does not use
# the default. config.to_dict()["head_dim"] returns 256, which is correct only for the smaller
# heads, without a warning.
# For users: a loop over many models stops at Gemma 4. With the dictionary, the computed cache is
# too small for the layers with full attention. Read config.per_layer_config[i], which such models
# have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check transformers==5.23.0
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import sys

import transformers

print(f"version: transformers {transformers.__version__}")
config = transformers.Gemma4TextConfig()
print("expected: getattr with a default and hasattr give an answer")
raised = []
for name, ask in (
    ("getattr(config, 'head_dim', None)", lambda: getattr(config, "head_dim", None)),
    ("hasattr(config, 'head_dim')", lambda: hasattr(config, "head_dim")),
):
    try:
        print(f"seen: {name}: {ask()}")
    except RuntimeError as error:
        raised.append(not isinstance(error, AttributeError))
        print(f"seen: {name}: {type(error).__name__}, a RuntimeError")
flat = config.to_dict()["head_dim"]
by_layer = sorted({config.per_layer_config[i].head_dim for i in range(config.num_hidden_layers)})
print(f"seen: config.to_dict()['head_dim']: {flat}; by layer: {by_layer}")
sys.exit(0 if raised == [True, True] and flat == 256 and by_layer == [256, 512] else 1)
PYTHON
