"""The journal of a run: written case by case, read when a run is resumed."""
