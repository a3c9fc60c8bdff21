"""Results of a run: stored while the run goes on, written to files, and read again.

Only the export to Parquet needs a library outside the standard library. `Plan` describes what a run
will measure, and `CaseResult` is one result. The `Journal` stores the plan and the results during
the run. The function `rows` computes the `Row`s of a results file from the journal. The `Sidecar`
describes the run. Importing the package imports none of its modules, because `membench list` needs
only one module.
"""
