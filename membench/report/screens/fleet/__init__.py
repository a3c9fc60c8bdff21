"""The output of the fleet commands."""
