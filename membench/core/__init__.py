"""Definitions for all other packages: terms, units, errors, cases, work and machine snapshot."""
