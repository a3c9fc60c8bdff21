"""The parent's side of a round: worker processes and what happens around them."""
