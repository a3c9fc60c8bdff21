#!/usr/bin/env bash
# num_hidden_layers and num_attention_heads of Whisper and BART in transformers' configuration.
#
# Expected: the layers that have a KV cache, as for every other model that generates text. For
# models with an encoder and a decoder these are the layers of the decoder.
# Seen (transformers 5.23.0): both names have the values of the encoder. Whisper large-v3-turbo has
# 32 layers in its encoder and 4 in its decoder, and num_hidden_layers is 32. Only decoder_layers
# and decoder_attention_heads describe the cached layers; for a distilled BART with 12 and 3 layers
# num_hidden_layers is 12. T5 has num_decoder_layers, and its num_hidden_layers counts the layers of
# the encoder.
# For users: a KV cache that is computed from num_hidden_layers is eight times too large for Whisper
# large-v3-turbo. Read decoder_layers first. The decoder of these models also caches keys and values
# of the encoder.
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
configs = {
    "Whisper large-v3-turbo": transformers.WhisperConfig(
        encoder_layers=32, decoder_layers=4, encoder_attention_heads=20, decoder_attention_heads=20
    ),
    "a distilled BART": transformers.BartConfig(encoder_layers=12, decoder_layers=3),
}
seen = []
for name, config in configs.items():
    seen.append((config.num_hidden_layers, config.decoder_layers))
    print(f"{name}: expected: num_hidden_layers {config.decoder_layers}; seen: {config.num_hidden_layers}")
t5 = transformers.T5Config(num_layers=24, num_decoder_layers=12)
seen.append((t5.num_hidden_layers, t5.num_decoder_layers))
print(f"a T5: expected: num_hidden_layers {t5.num_decoder_layers}; seen: {t5.num_hidden_layers}")
sys.exit(0 if seen == [(32, 4), (12, 3), (24, 12)] else 1)
PYTHON
