"""The worker's side of a round: build, time and verify cases."""
