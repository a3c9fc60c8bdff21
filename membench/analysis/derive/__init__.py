"""Figures computed from rows: fits, capacities, knees, Pareto fronts.

Derived figures are for readers. They are never samples and never become rows: each names the rows
that it was computed from, and is recomputed whenever it is shown.
"""
