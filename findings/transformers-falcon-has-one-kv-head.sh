#!/usr/bin/env bash
# The number of KV heads of Falcon-7B in transformers' configuration: num_kv_heads.
#
# Expected: the number that the model uses. The configuration has this attribute with a value, and
# programs compute the size of KV caches from it.
# Seen (transformers 5.23.0): num_kv_heads is 71, the number of query heads, but the model has one
# KV head. With multi_query, which is the default, the code of the model uses 1 and ignores
# num_kv_heads, unless new_decoder_architecture is set (as for Falcon-40B and 180B, whose 8 KV heads
# are correct).
# For users: for Falcon-7B a KV cache that is computed from num_kv_heads is 71 times too large. Read
# multi_query (also for GPT-BigCode) before num_kv_heads.
# How the script sees it: it evaluates the line of the model's code that sets the number of KV
# heads, with the configuration; it needs no weights and no PyTorch.
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
