"""Results of a run: stored while the run goes on, written to files, and read again.

The `Journal` stores the `Plan` and each `CaseResult` during the run. The function `rows` computes
the `Row`s of a results file. The `Sidecar` describes the run.
"""
