"""The GPU: what a bench may ask of it, and how results are verified."""
