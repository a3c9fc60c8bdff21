#!/usr/bin/env bash
# A config.json of a Mistral model without the key sliding_window, read by transformers.
#
# Expected: no sliding window: if the file does not have the key, the feature is off, as for Llama,
# Mixtral, Phi-3 or StarCoder2 in the same library.
# Seen (transformers 5.23.0): a window of 4096 tokens, as in the first Mistral-7B. Only an explicit
# null means no window; the published files of later Mistral models contain this null.
# For users: if a tool writes the file again without keys that are null, the attention changes. The
# computed KV cache of a long prompt then has at most 4096 tokens: for 32768 tokens an eighth of the
# size that an engine allocates if it reads the file itself.
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
print("expected: sliding_window None for all, where the file has no such key")
seen = {}
for name in ("Mistral", "Mixtral", "Phi3", "Starcoder2"):
    kind = getattr(transformers, name + "Config")
    seen[name] = kind.from_dict({"model_type": kind.model_type}).sliding_window
    print(f"seen: {name}: {seen[name]}")
explicit = transformers.MistralConfig.from_dict({"sliding_window": None}).sliding_window
print(f"seen: Mistral with null: {explicit}")
right = seen == {"Mistral": 4096, "Mixtral": None, "Phi3": None, "Starcoder2": None}
sys.exit(0 if right and explicit is None else 1)
PYTHON
