"""The parent's side of a round: worker processes and the observation of their environment."""
