"""Traces of requests, and hit rates of caches that serve them."""
