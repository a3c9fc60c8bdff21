"""One machine's runs over time: levels, change points, and changes in its surroundings."""
