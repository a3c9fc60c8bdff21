"""The report: the content, and the HTML and Markdown that are made from the content."""
