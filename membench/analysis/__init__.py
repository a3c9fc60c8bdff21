"""Analysis of results: statistics, and comparisons of runs.

Floor 6. This package neither measures nor draws nor prints.
"""
