"""Traces of requests, and the hit rates of caches for them."""
