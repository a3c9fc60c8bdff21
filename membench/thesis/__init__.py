"""What measurements say about a published thesis on memory demand, claim by claim."""
