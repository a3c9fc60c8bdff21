"""Readers of other tools' files, with one module per tool."""
