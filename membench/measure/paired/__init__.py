"""Paired runs, which measure two settings in turn: plans, set-up commands and rounds."""
