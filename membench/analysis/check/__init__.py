"""Check a machine: compare its tiers with the values that the hardware should reach."""
