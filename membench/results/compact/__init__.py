"""Read results files as named tuples, for comparisons of many files."""
