"""The report: content, HTML and Markdown."""
