"""Output of `membench check`: for a terminal, as Markdown or JSON, and for CI systems."""
