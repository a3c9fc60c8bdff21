"""Write the result of `membench check` for terminals, as Markdown or JSON, and for CI systems."""
