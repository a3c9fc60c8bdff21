"""The worker's side of a round: build, time, verify."""
