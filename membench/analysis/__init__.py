"""Analysis of results: statistics, and comparisons of runs.

The package only computes: it does not measure, draw or print.
"""
