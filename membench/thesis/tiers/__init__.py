"""Simulates several tiers of a KV cache for a trace of requests."""
