"""Two settings measured in turns: plans, set-up commands, and the rounds of both."""
