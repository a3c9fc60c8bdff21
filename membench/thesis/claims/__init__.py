"""Derives verdicts on the claims of the thesis from measurements and assumptions."""
