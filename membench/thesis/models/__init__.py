"""Models of AI inference: KV shapes, weights, rooflines, costs."""
