"""The verdicts of measurements on a published thesis about memory demand, claim by claim."""
