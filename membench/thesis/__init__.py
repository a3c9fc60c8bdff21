"""Tests a published thesis about memory demand against measurements, claim by claim."""
