"""Reads traces of requests, and computes the hit rates of KV caches for a trace."""
