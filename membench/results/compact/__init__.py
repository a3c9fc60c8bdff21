"""Read results files at the speed of the csv module, as flat tuples."""
