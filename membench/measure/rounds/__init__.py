"""The round in the parent process: worker processes, and the monitoring of their environment."""
