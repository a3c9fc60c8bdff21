"""Statistics over the machines of a fleet."""
