"""The parent's side of a round: worker processes, and the monitoring of their environment."""
