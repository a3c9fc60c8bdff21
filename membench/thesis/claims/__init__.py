"""The claims of the thesis: their evidence, statistics and verdicts."""
