"""Figures computed from rows: fits, capacities, knees, Pareto fronts.

They are for readers: they are never samples and never become rows. Each names the rows that it was
computed from, and is recomputed whenever it is shown.
"""
