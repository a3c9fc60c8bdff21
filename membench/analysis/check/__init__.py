"""The check of a machine: compares its tiers with results that others got on the same hardware."""
