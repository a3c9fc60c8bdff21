"""Results: from the measurements of a worker to files that outlive the run, and back.

Floor 1, the standard library alone. `Plan` is what a run sets out to do and `CaseResult` what it
produces; the `Journal` keeps both during the run, `rows` turns them into the `Row`s of a results
file, and the `Sidecar` describes the run. Each has a module of its own; importing the package
imports none of them, because `membench list` needs only one.
"""
