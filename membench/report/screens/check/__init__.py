"""A check of a machine on a terminal, in Markdown, as JSON, and for continuous integration."""
