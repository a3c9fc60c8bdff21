"""Several cache tiers simulated over a trace."""
