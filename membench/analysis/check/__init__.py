"""Is this machine right: its tiers judged by what others got from the same hardware."""
