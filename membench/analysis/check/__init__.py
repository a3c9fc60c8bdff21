"""The check of a machine: compare its tiers with published results for the same hardware."""
