"""The claims of the thesis: evidence, statistics, verdicts."""
