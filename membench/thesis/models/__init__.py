"""Formulas for LLM inference: bytes of KV cache and weights, time bounds, and costs."""
