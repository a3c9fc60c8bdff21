"""Processors: how they are laid out and what they are called."""
