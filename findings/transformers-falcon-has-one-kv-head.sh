#!/usr/bin/env bash
# The number of KV heads of Falcon-7B by transformers' configuration: num_kv_heads.
#
# Expected: the model's number. The configuration has the attribute, filled in, and sizes of KV
# caches are worked out from it.
# Seen (transformers 5.23.0): num_kv_heads is 71, the number of query heads. The model has one KV
# head: with multi_query, which is the default, its code takes 1 whatever num_kv_heads says, unless
# new_decoder_architecture is set (Falcon-40B and 180B, which have 8 and are right).
# For users: a KV cache worked out from the configuration is 71 times too large for Falcon-7B. Look
# at multi_query (also for GPT-BigCode) before num_kv_heads.
# How it is seen: the line of the model's own code that sets its number of KV heads is evaluated
# with the configuration; no weights and no PyTorch are needed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check transformers==5.23.0
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import ast, importlib.util, pathlib, sys
from types import SimpleNamespace

import transformers

package = pathlib.Path(importlib.util.find_spec("transformers").origin).parent
code = ast.parse((package / "models/falcon/modeling_falcon.py").read_text())
rule = next(
    node.value
    for node in ast.walk(code)
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "self.num_kv_heads"
)


def of_the_model(config):
    names = {"config": config, "self": SimpleNamespace(multi_query=config.multi_query, new_decoder_architecture=config.new_decoder_architecture)}
    return eval(compile(ast.Expression(rule), "rule", "eval"), names)


print(f"version: transformers {transformers.__version__}")
small = transformers.FalconConfig(hidden_size=4544, num_hidden_layers=32, num_attention_heads=71)
large = transformers.FalconConfig(
    hidden_size=8192, num_attention_heads=128, num_kv_heads=8, new_decoder_architecture=True
)
print(f"expected: num_kv_heads is what the model has")
seen = []
for name, config in (("Falcon-7B", small), ("Falcon-40B", large)):
    seen.append((config.num_kv_heads, of_the_model(config)))
    print(f"seen: {name}: num_kv_heads {seen[-1][0]}, the model has {seen[-1][1]}")
sys.exit(0 if seen == [(71, 1), (8, 8)] else 1)
PYTHON
