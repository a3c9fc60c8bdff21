"""Analysis of results: statistics, comparisons, checks and histories."""
