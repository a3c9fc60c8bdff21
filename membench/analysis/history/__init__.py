"""One machine's runs over time: levels, change points, and what changed around them."""
