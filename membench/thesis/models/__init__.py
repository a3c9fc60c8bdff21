"""Models of AI inference: sizes of KV cache and weights, rooflines, costs."""
