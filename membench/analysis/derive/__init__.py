"""Values computed from rows: fits, capacities, knees of curves, Pareto fronts.

membench never stores these values as samples or rows.
"""
