"""Terminal tables, progress, plots and pages; the only package that may import Rich."""
