"""The runs of one machine over time: levels, changes, and what else changed on the machine."""
