"""Composes the content of a report, and renders the content as HTML and Markdown."""
