"""One machine's runs over time: levels, change points, and what else changed on the machine."""
