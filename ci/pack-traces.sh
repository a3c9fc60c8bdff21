#!/usr/bin/env bash
# Pack the published traces for the package: ci/pack-traces.sh FOLDER. FOLDER contains the original
# files under their original names. The script checks each file before packing.
set -euo pipefail
[[ $# == 1 ]] || { echo "usage: ci/pack-traces.sh FOLDER" >&2; exit 2; }
from=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../membench/thesis/replay/traces/data"

while read -r sum name; do
    original=$(find "$from" -name "$name" -print -quit)
    echo "$sum  $original" | sha256sum --check --quiet
    xz --compress --stdout -9 --extreme "$original" >"$name.xz"
done <<'SUMS'
b8cbb061a85206d729d91cdc2981f43c9e0d99209dce588d3af5f7934408b9df conversation_trace.jsonl
17eece81db018a16743d19e931b46a69605f4254e097493af878be85b98deeb6 cc_traces_rle.jsonl
54e9a6d2a4bd06ba1e060304b900abbc74cbea53de96506e60fe5bb4f2277fb6 AzureLLMInferenceTrace_code.csv
2f1e5b666d4e3055fdbba98598ce2ec307767b9064e03e2fa46676dbcc7d0bf8 AzureLLMInferenceTrace_conv.csv
SUMS
