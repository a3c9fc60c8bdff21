"""Everything that a user reads: terminal output, plots and reports. Only this package uses Rich."""
