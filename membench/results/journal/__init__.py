"""The journal of a run: written after each case, read when a run is resumed."""
