"""Values computed from rows: fits, capacities, knees of curves, Pareto fronts.

membench computes these values whenever it shows them, and never stores them as samples or rows. The
values of `membench.analysis.derive.tiers` name the cases from which they were computed.
"""
