"""Measures a plan: rounds in fresh worker processes, samples, flags, and results in a journal."""
