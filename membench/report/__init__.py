"""Terminal tables, progress, plots and pages; only this package may import Rich."""
