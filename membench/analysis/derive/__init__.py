"""What is computed from rows: fits, capacities, knees, fronts.

Derived figures are for readers.  They are never samples and never become rows:
each names the rows that it comes from, and is made anew whenever it is shown.
"""
