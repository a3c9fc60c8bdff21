"""Stores the results of a run while it goes on, writes results files, and reads these files.

The `Journal` stores the `Plan` and each `CaseResult` during the run. The function `rows` computes
the `Row`s of a results file. The `Sidecar` describes the run.
"""
