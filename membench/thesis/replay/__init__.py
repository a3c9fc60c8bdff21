"""Traces of requests and the hit rates that caches would have had."""
