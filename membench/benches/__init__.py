"""The benchmarks: one file is one family, and every file is found by itself."""
