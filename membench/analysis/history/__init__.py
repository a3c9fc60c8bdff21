"""One machine's runs over time: levels, change points, and other changes of the machine."""
