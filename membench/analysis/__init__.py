"""What results say: statistics, and runs held against each other.

Floor 6.  Nothing is measured, drawn or printed here.
"""
