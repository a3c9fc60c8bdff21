"""Results files read at the speed of the csv module, as flat tuples."""
