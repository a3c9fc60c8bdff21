"""Output of the commands on a terminal or a pipe."""
