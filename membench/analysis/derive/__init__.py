"""Values computed from rows: fits, capacities, knees of curves, Pareto fronts.

They are only shown to readers, and never stored as samples or rows. Each value names the rows from
which it was computed. membench recomputes it whenever it is shown.
"""
