"""Values computed from rows: fits, capacities, knees of curves, Pareto fronts.

membench computes these values whenever it shows them, and never stores them as samples or rows.
Each value names the rows from which it was computed.
"""
