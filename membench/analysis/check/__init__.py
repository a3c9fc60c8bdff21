"""The check of a machine: compare the tiers with the values that the hardware should reach."""
