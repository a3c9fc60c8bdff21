"""Simulates several cache tiers that serve a trace."""
