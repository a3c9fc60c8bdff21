"""The check of a machine: its tiers against results that others got from the same hardware."""
