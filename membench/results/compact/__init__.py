"""Read results files as named tuples, about as fast as the csv module."""
