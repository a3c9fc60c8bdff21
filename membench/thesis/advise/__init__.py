"""Advice for one model from a machine's measurements."""
