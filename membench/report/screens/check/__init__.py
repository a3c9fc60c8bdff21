"""Prints the check of a machine: on a terminal, as Markdown or JSON, and for CI systems."""
